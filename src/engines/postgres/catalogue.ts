/** Conditions for questions to PostgreSQL's catalogues, for more than one of them. */

/** Over `pg_namespace n`: schemas of people, not PostgreSQL's own. */
export const USER_SCHEMA = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** Whether an extension brought an object along. */
export const ofExtension = (catalogue: string, oid: string) =>
  `EXISTS (SELECT FROM pg_depend x WHERE x.classid = '${catalogue}'::regclass AND x.objid = ${oid} AND x.deptype = 'e')`;
