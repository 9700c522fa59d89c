/** `backup`: one more run, now: as a schedule makes them, or like one that there was. */
import type { Backup, BackupSpec } from '../api/backup.ts';
import { API_VERSION } from '../api/meta.ts';
import { ANNOTATIONS, LABELS, scheduleLabel } from '../api/names.ts';
import { KIND } from '../kube/kinds.ts';
import { HoldfastError } from '../lib/errors.ts';
import { follow, verdictOn } from './follow.ts';
import { databaseOf, freshName, shownDatabase, withoutStamp } from './names.ts';
import { EXIT } from './output.ts';
import { estimateFor } from './progress.ts';
import { isOver } from './run.ts';
import { type Cli, type CommonOptions, type NewThing, type Session, withSession } from './session.ts';
import { mustBeValid } from './validate.ts';

export interface BackupOptions extends CommonOptions {
  readonly from?: string;
  readonly like?: string;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

type NewBackup = NewThing & { readonly spec: BackupSpec };

export async function backup(cli: Cli, name: string | undefined, options: BackupOptions): Promise<number> {
  if ((options.from === undefined) === (options.like === undefined)) {
    throw new HoldfastError('Usage', 'Say what to back up: either --from SCHEDULE, or --like BACKUP.', {
      hint: 'A backup of something new is a YAML file: "kubectl explain backup.spec", examples/postgresql.yaml.',
    });
  }
  return withSession(cli, options, async (session) => {
    const wanted =
      options.from === undefined
        ? await likeBackup(session, options.like ?? '', name, cli.now())
        : await fromSchedule(cli, session, options.from, name);
    mustBeValid(wanted);
    if (options.dryRun === true) {
      cli.output.objects(wanted, 'yaml');
      return EXIT.ok;
    }
    const made = await session.create<Backup>(KIND.backup, wanted);
    cli.output.data(`backup.holdfast.dev/${made.metadata.name} created`);
    cli.output.say(`${shownDatabase(databaseOf(made))} to store ${made.spec.storeRef.name}`);
    if (options.wait !== true) {
      cli.output.say(`Follow it: kubectl holdfast -n ${session.namespace} status --watch`);
      return EXIT.ok;
    }
    const others = await session.cluster.list(KIND.backup, { namespace: session.namespace });
    const ended = await follow(cli, session, KIND.backup, made, estimateFor(made, others));
    return verdictOn(cli, 'Backup', ended) ? EXIT.ok : EXIT.failed;
  });
}

/** As the operator makes them: nothing of the schedule's own labels (a GitOps tool would prune it), and counted by its retention. */
async function fromSchedule(cli: Cli, session: Session, from: string, name: string | undefined): Promise<NewBackup> {
  const { metadata, spec } = await session.find(KIND.backupSchedule, from);
  const { labels, annotations } = spec.template.metadata ?? {};
  await tellOfActive(cli, session, from);
  return {
    apiVersion: API_VERSION,
    kind: 'Backup',
    metadata: {
      name: name ?? freshName(metadata.name, cli.now()),
      namespace: session.namespace,
      labels: { ...labels, [LABELS.schedule]: scheduleLabel(metadata.name) },
      annotations: { ...annotations, [ANNOTATIONS.schedule]: metadata.name },
    },
    spec: spec.template.spec,
  };
}

async function tellOfActive(cli: Cli, session: Session, schedule: string): Promise<void> {
  const children = await session.cluster.list(KIND.backup, {
    namespace: session.namespace,
    labelSelector: `${LABELS.schedule}=${scheduleLabel(schedule)}`,
  });
  const active = children.filter((child) => !isOver(child)).map(({ metadata }) => metadata.name);
  if (active.length > 0)
    cli.output.warn(`${active.join(', ')} of this schedule is at work; the new backup waits for it.`);
}

async function likeBackup(session: Session, like: string, name: string | undefined, now: Date): Promise<NewBackup> {
  const { spec } = await session.find(KIND.backup, like);
  return {
    apiVersion: API_VERSION,
    kind: 'Backup',
    metadata: { name: name ?? freshName(withoutStamp(like), now), namespace: session.namespace },
    spec,
  };
}
