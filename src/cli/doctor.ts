/** `doctor`: everything that may be wrong with Holdfast in a namespace, each with the next step. */
import type { Finding } from './doctor/finding.ts';
import { judge } from './doctor/judge.ts';
import { look } from './doctor/look.ts';
import { EXIT, type Format } from './output.ts';
import { type Cli, type CommonOptions, withSession } from './session.ts';
import { type Colour, harmless, type Paint } from './style.ts';
import { plural } from './words.ts';

export async function doctor(cli: Cli, options: CommonOptions & { readonly output?: Format }): Promise<number> {
  const { output } = cli;
  return withSession(cli, options, async (session) => {
    const findings = judge(await look(session), cli.now());
    const wrong = findings.filter(({ verdict }) => verdict === 'wrong').length;
    if (options.output === 'json' || options.output === 'yaml') output.objects(findings, options.output);
    else {
      output.data(findingsText(findings, output.paint));
      output.say(wrong === 0 ? 'Nothing is wrong.' : `${plural(wrong, 'thing is', 'things are')} wrong.`);
    }
    return wrong === 0 ? EXIT.ok : EXIT.failed;
  });
}

const COLOURS: Readonly<Record<Finding['verdict'], Colour>> = {
  ok: 'green',
  note: 'cyan',
  wrong: 'red',
  unknown: 'yellow',
};

export function findingsText(findings: readonly Finding[], paint: Paint): string {
  const width = Math.max(...findings.map(({ subject }) => subject.length)) + 2;
  return findings
    .map(({ subject, verdict, message, next }) => {
      const head = `${paint(COLOURS[verdict], verdict.padEnd(7))}  ${subject.padEnd(width)}${harmless(message)}`;
      return next === undefined ? head : `${head}\n${' '.repeat(9 + width)}${paint('cyan', 'next:')} ${harmless(next)}`;
    })
    .join('\n');
}
