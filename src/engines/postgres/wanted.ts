/** How the restored database is to be: as the live one that it replaces, else as the archive has it, but for what was decided. Pure. */
import type { DatabaseProperties } from '../../archive/contents.ts';
import type { TargetRequest } from '../engine.ts';
import { regranted } from './acl.ts';

type Wish = Pick<TargetRequest, 'owner' | 'privileges'>;

/** `live`: properties of the database that is replaced. */
export function wantedProperties(
  live: DatabaseProperties | undefined,
  archived: DatabaseProperties,
  wish: Wish,
): DatabaseProperties {
  const base = live ?? untrusted(archived, wish);
  const { owner } = wish;
  if (owner === undefined || owner === base.owner) return base;
  return {
    ...base,
    owner,
    // As ALTER DATABASE … OWNER TO does: what the old owner held goes to the new one.
    ...(base.acl === undefined ? {} : { acl: base.acl.map((item) => regranted(item, base.owner, owner)) }),
  };
}

/** Where an archive is given to a role, it says nothing about others. */
function untrusted(archived: DatabaseProperties, { owner, privileges }: Wish): DatabaseProperties {
  const { acl, ...rest } = archived;
  return {
    ...rest,
    ...(privileges === 'Skip' || acl === undefined ? {} : { acl }),
    settings: owner === undefined ? rest.settings : rest.settings.filter(({ role }) => role === undefined),
  };
}

/** Settings that the archive brings are given with the rights of the role that owns it all: of some a program can be made. */
export function settingsAs(live: DatabaseProperties | undefined, { owner }: Wish): string | undefined {
  return live === undefined ? owner : undefined;
}

/** Of schema public: see settlePublicSchema. */
export function wantedPublicSchema(
  { publicSchemaOwner }: DatabaseProperties,
  { owner }: Wish,
): DatabaseProperties['publicSchemaOwner'] {
  return publicSchemaOwner == null ? publicSchemaOwner : (owner ?? publicSchemaOwner);
}
