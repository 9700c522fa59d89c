/** The app whose data a database holds: what a restore wants to know of it, and only whoever backs up can tell. */
import Type, { type Static } from 'typebox';
import { ApplicationVersion } from './application-version.ts';
import { WorkloadSchema } from './restore.ts';

export const BackupApplicationSchema = Type.Object(
  {
    version: Type.Optional(
      ApplicationVersion(
        "The app's version, such as 1.24.3: what a Restore compares with the version that it is told runs there.",
      ),
    ),
    workloads: Type.Optional(
      Type.Array(WorkloadSchema, {
        minItems: 1,
        maxItems: 32,
        description: 'What the app runs as.',
      }),
    ),
    requireSameNodes: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'For apps that seal data to the machine: the nodes that the pods of workloads run on are recorded, and a restore to an app on other nodes is refused.',
      }),
    ),
  },
  {
    description: 'The app of this database; recorded in the archive, for restores.',
    'x-kubernetes-validations': [
      {
        rule: '!has(self.requireSameNodes) || !self.requireSameNodes || has(self.workloads)',
        message: 'requireSameNodes needs workloads: it is their pods that run on the nodes',
      },
    ],
  },
);

/** Nodes of a large cluster; more than these are not recorded, and a restore on one of those is refused. */
const NODES_RECORDED = 512;

/** As recorded: what the Backup says, and what was seen when it began. In the manifest, which anybody can read who has the bucket. */
export const ApplicationFactsSchema = Type.Object({
  version: Type.Optional(Type.String({ maxLength: 64 })),
  workloads: Type.Optional(
    Type.Array(Type.Object({ apiVersion: Type.Optional(Type.String()), kind: Type.String(), name: Type.String() }), {
      maxItems: 32,
    }),
  ),
  requireSameNodes: Type.Optional(Type.Boolean()),
  nodes: Type.Optional(
    Type.Array(Type.String({ maxLength: 253 }), {
      maxItems: NODES_RECORDED,
      description: 'Names of the nodes that its pods ran on, where requireSameNodes asks for them.',
    }),
  ),
});

export type BackupApplication = Static<typeof BackupApplicationSchema>;
export type ApplicationFacts = Static<typeof ApplicationFactsSchema>;

/** `nodes`: those that the pods run on now. Undefined where the Backup says nothing. */
export function applicationFacts(
  said: BackupApplication | undefined,
  nodes: readonly string[],
): ApplicationFacts | undefined {
  if (said === undefined) return undefined;
  const { version, workloads, requireSameNodes = false } = said;
  return {
    ...(version === undefined ? {} : { version }),
    ...(workloads === undefined ? {} : { workloads }),
    ...(requireSameNodes ? { requireSameNodes, nodes: [...nodes].slice(0, NODES_RECORDED) } : {}),
  };
}
