import { describe, expect, test } from '@jest/globals';
import { newRequirements } from '../../../../src/engines/postgres/requirements.ts';

function needs(...lines: string[]) {
  const found = newRequirements();
  for (const line of lines) found.take(line);
  return found.found();
}

describe('what a dump needs of a server', () => {
  test.each([
    ['ALTER TABLE public.orders OWNER TO shop;', ['shop']],
    ['ALTER FUNCTION public.f(integer, text) OWNER TO "shop owner";', ['shop owner']],
    ['ALTER TYPE public."odd OWNER TO x" OWNER TO "say ""hi""";', ['say "hi"']],
    ['GRANT SELECT,INSERT ON TABLE public.orders TO reader;', ['reader']],
    ['GRANT SELECT(id),UPDATE(what) ON TABLE public.orders TO "a;b";', ['a;b']],
    ['GRANT USAGE ON SCHEMA shop TO team WITH GRANT OPTION;', ['team']],
    ['GRANT ALL ON SCHEMA public TO PUBLIC;', []],
    ['GRANT SELECT ON TABLE public.orders TO pg_monitor;', []],
    ['REVOKE ALL ON TABLE public.orders FROM shop;', ['shop']],
    ['ALTER DEFAULT PRIVILEGES FOR ROLE shop IN SCHEMA public GRANT SELECT ON TABLES TO reader;', ['reader', 'shop']],
    ['ALTER DEFAULT PRIVILEGES FOR ROLE shop REVOKE ALL ON FUNCTIONS FROM PUBLIC;', ['shop']],
    ['SET SESSION AUTHORIZATION giver;', ['giver']],
    ["SET SESSION AUTHORIZATION 'x';", []],
    [
      'CREATE POLICY mine ON public.orders TO auditor, "the clerk" USING ((shop = CURRENT_USER));',
      ['auditor', 'the clerk'],
    ],
    ['CREATE POLICY "of ON a TO b" ON shop."T.x" AS RESTRICTIVE FOR SELECT TO auditor USING (true);', ['auditor']],
    ['CREATE POLICY all_of_us ON public.orders USING (true);', []],
    ['CREATE USER MAPPING FOR shop SERVER elsewhere OPTIONS (', ['shop']],
    ['  GRANT SELECT ON TABLE x TO within_a_function;', []],
    ["COMMENT ON TABLE public.orders IS 'ask TO nobody;';", []],
  ])('%s', (line, roles) => {
    expect(needs(line).roles).toEqual(roles);
  });

  test('names tablespaces, but not those that every server has', () => {
    const { tablespaces } = needs(
      "SET default_tablespace = '';",
      'SET default_tablespace = pg_default;',
      'SET default_tablespace = fast;',
      'SET default_tablespace = "the slow one";',
    );
    expect(tablespaces).toEqual(['fast', 'the slow one']);
  });
});
