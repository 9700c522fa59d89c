import Type, { type Static } from 'typebox';
import { BYTES_PATTERN } from '../lib/quantity.ts';

/** As Kubernetes writes amounts of cpu and memory: 2, 500m, 1Gi. */
const amount = (description: string, pattern: string) =>
  Type.Unsafe<string | number>({
    'x-kubernetes-int-or-string': true,
    anyOf: [{ type: 'integer' }, { type: 'string' }],
    minimum: 0,
    maxLength: 32,
    pattern,
    description,
  });

const AMOUNT_PATTERN = '^[0-9]+([.][0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$';

const amounts = () =>
  Type.Object({
    cpu: Type.Optional(amount('Such as 500m or 2.', AMOUNT_PATTERN)),
    memory: Type.Optional(amount('Such as 1Gi.', AMOUNT_PATTERN)),
  });

/** The server of a drill, which is made for it and goes with it. */
export const EphemeralSchema = Type.Object(
  {
    image: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        pattern: '^[^\\s{}]+$',
        description:
          "An image with PostgreSQL's server in it, with the extensions that the database uses; absent: that of the chart value drill.image, of the archive's own major version.",
      }),
    ),
    storage: Type.Optional(
      Type.Object({
        size: amount(
          'Of the disk of the node, how much the restored database may take at most; absent: as much as there is. A drill that needs more fails.',
          BYTES_PATTERN,
        ),
      }),
    ),
    resources: Type.Optional(
      Type.Object(
        { requests: Type.Optional(amounts()), limits: Type.Optional(amounts()) },
        { description: 'Of the server; absent: 100m of cpu, 256Mi of memory and at most 1Gi.' },
      ),
    ),
  },
  {
    description:
      'A drill: the archive is restored into a server of its own, beside the runner in the pod of the Job, asked what checks wants to know, and counted. No database is touched, and nothing is left.',
  },
);

const counts = {
  bytes: Type.Integer({ minimum: 0, description: 'On disk, with indexes.' }),
  tables: Type.Integer({ minimum: 0 }),
  rows: Type.Integer({ minimum: 0, description: 'Counted one by one.' }),
};

export const DrillStatusSchema = Type.Object(
  {
    server: Type.String({ description: 'Version of the server that it was restored to.' }),
    duration: Type.String({ description: 'From the first byte read to the last row counted.' }),
    databases: Type.Integer({ minimum: 0, description: 'How many were restored.' }),
    ...counts,
    perDatabase: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), ...counts }), {
        description: 'Of a whole server; the largest ten.',
      }),
    ),
    largest: Type.Optional(
      Type.Array(Type.Object({ table: Type.String(), rows: Type.Integer({ minimum: 0 }) }), {
        description:
          'The ten tables with most rows, each with its schema; of a whole server with its database before that.',
      }),
    ),
    notes: Type.Optional(
      Type.Array(Type.String(), { description: 'What was not as it had been, such as a locale that the image lacks.' }),
    ),
  },
  { description: 'Of a drill: what was restored.' },
);

export type Ephemeral = Static<typeof EphemeralSchema>;
