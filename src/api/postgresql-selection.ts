import Type, { type Static } from 'typebox';

/**
 * A name as it stands in the catalogue: no pattern, no quotes around it, capitals as they are. PostgreSQL keeps 63 bytes;
 * CEL counts characters, the runner counts bytes.
 */
const objectName = (description: string) =>
  Type.String({ minLength: 1, maxLength: 63, pattern: '^[^\\x00-\\x1f\\x7f]+$', description });

const schemas = (description: string) =>
  Type.Array(objectName('Name of a schema, literally.'), {
    minItems: 1,
    maxItems: 128,
    'x-kubernetes-list-type': 'set',
    description,
  });

const tables = (description: string) =>
  Type.Array(
    Type.Object({
      schema: objectName('Name of its schema, literally.'),
      name: objectName('Its own name, literally.'),
    }),
    {
      minItems: 1,
      maxItems: 256,
      // A map by both fields, for each table once. A set of objects would do, but CEL cannot compare two of those, and so not a spec with
      // the one before.
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['schema', 'name'],
      description,
    },
  );

export const IncludeSchema = Type.Object(
  {
    schemas: Type.Optional(schemas('Everything in these schemas.')),
    tables: Type.Optional(
      tables(
        'These tables, views, materialized views, foreign tables and sequences; a partitioned table with all its partitions.',
      ),
    ),
  },
  {
    minProperties: 1,
    description:
      'Only this part of the database, and what it needs to be made: types, functions and extensions. Absent: everything. A name that does not exist fails the backup.',
  },
);

export const ExcludeSchema = Type.Object(
  {
    schemas: Type.Optional(schemas('Nothing in these schemas.')),
    tables: Type.Optional(
      tables(
        'None of these tables, views, materialized views, foreign tables and sequences; a partitioned table with all its partitions.',
      ),
    ),
    tableData: Type.Optional(
      tables('No rows of these tables; the tables themselves are kept. A partitioned table with all its partitions.'),
    ),
  },
  {
    minProperties: 1,
    description:
      'Leaves this part out, also of what include names. What would be left must be able to stand alone, or the backup is refused.',
  },
);

/** Of a restore. As of a backup, but what an archive has not cannot be left out, and rows go with their table. */
export const RestoreIncludeSchema = Type.Object(IncludeSchema.properties, {
  minProperties: 1,
  description:
    'Only this part of the archive: with all that belongs to it, and what it needs to be made: types, functions, schemas, extensions and sequences. Absent: everything. A name that the archive has not is a refusal.',
});

export const RestoreExcludeSchema = Type.Object(
  { schemas: ExcludeSchema.properties.schemas, tables: ExcludeSchema.properties.tables },
  {
    minProperties: 1,
    description:
      'Leaves this part out, also of what include names. What is left must be able to stand alone, or the restore is refused.',
  },
);

/** A part of a database. An archive of it never replaces a whole one. */
export interface Selection {
  readonly include?: Static<typeof IncludeSchema>;
  readonly exclude?: Static<typeof ExcludeSchema>;
}

/** Undefined where everything is meant. */
export function selectionOf({ include, exclude }: Selection): Selection | undefined {
  if (include === undefined && exclude === undefined) return undefined;
  return { ...(include === undefined ? {} : { include }), ...(exclude === undefined ? {} : { exclude }) };
}

/** The lists of a selection for people, a line each. */
export function selectionLines({ include = {}, exclude = {} }: Selection): readonly string[] {
  const line = (what: string, names: readonly string[] = []) =>
    names.length === 0 ? [] : [`${what} ${names.join(', ')}`];
  const dotted = (list: readonly { readonly schema: string; readonly name: string }[] = []) =>
    list.map(({ schema, name }) => `${quoted(schema)}.${quoted(name)}`);
  return [
    ...line('only schemas', include.schemas?.map(quoted)),
    ...line('only tables', dotted(include.tables)),
    ...line('without schemas', exclude.schemas?.map(quoted)),
    ...line('without tables', dotted(exclude.tables)),
    ...line('without rows of', dotted(exclude.tableData)),
  ];
}

const quoted = (name: string) => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);
