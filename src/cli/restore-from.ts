/** What `restore` is to bring back: a Backup by its name, the latest of a schedule, or an archive by its place. */
import type { Backup } from '../api/backup.ts';
import type { RestoreSpec } from '../api/restore.ts';
import { KIND } from '../kube/kinds.ts';
import { HoldfastError } from '../lib/errors.ts';
import { isOf, newestAt, timeOf } from '../policy/latest.ts';
import { newestFirst } from './list.ts';
import { phaseOf } from './run.ts';
import type { Session } from './session.ts';

export interface FromOptions {
  readonly latest?: string;
  readonly before?: string;
  /** `STORE/PATH` */
  readonly fromArchive?: string;
}

export type Archive = NonNullable<RestoreSpec['from']['archive']>;

/** A Backup, or an archive of which there is none. */
export type Chosen = { readonly backup: Backup } | { readonly archive: Archive };

/**
 * Looked up now, so that what a person is shown and agrees to is what the Restore names: another Backup that completes in
 * between changes nothing.
 */
export async function choose(session: Session, name: string | undefined, options: FromOptions): Promise<Chosen> {
  const { latest, before, fromArchive } = options;
  const ways = [name, latest, fromArchive].filter((way) => way !== undefined);
  if (ways.length !== 1) {
    throw new HoldfastError('Usage', 'Say what to restore: a BACKUP, --latest SCHEDULE or --from-archive STORE/PATH.', {
      hint: 'Exactly one of the three. kubectl holdfast list shows the backups.',
    });
  }
  if (before !== undefined && latest === undefined)
    throw new HoldfastError('Usage', '--before belongs to --latest SCHEDULE.');
  if (latest !== undefined) return { backup: await theLatest(session, latest, instantOf(before)) };
  if (fromArchive !== undefined) return { archive: archiveOf(fromArchive) };
  return { backup: await session.find(KIND.backup, name ?? '') };
}

function instantOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  // Without a zone it would be that of this machine, and most likely another one than was meant.
  if (
    !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[-+]\d{2}:\d{2})$/.test(text) ||
    Number.isNaN(Date.parse(text))
  ) {
    throw new HoldfastError('Usage', `--before ${text} is no instant.`, {
      hint: 'Write it with its time zone: 2026-11-22T12:00:00Z or 2026-11-22T13:00:00+01:00.',
    });
  }
  return text;
}

async function theLatest(session: Session, schedule: string, before: string | undefined): Promise<Backup> {
  const { namespace } = session;
  const all = await session.cluster.list(KIND.backup, { namespace });
  const children = all.filter((backup) => isOf(backup, schedule));
  const found = newestAt(
    children.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
    before,
  );
  if (found !== undefined) return found;
  const of = before === undefined ? '' : ` of ${before} or before`;
  const there = children.toSorted(newestFirst).slice(0, 5).map(told).join(', ');
  throw new HoldfastError(
    'NothingToRestore',
    `Schedule "${schedule}" has no Complete backup${of} in namespace "${namespace}".${there === '' ? '' : ` It has ${there}.`}`,
    { hint: `kubectl holdfast -n ${namespace} list shows what there is.` },
  );
}

function told(backup: Backup): string {
  const phase = phaseOf(backup);
  return `${backup.metadata.name} (${phase === 'Complete' ? `of ${timeOf(backup)}` : phase})`;
}

/** What is wrong with the path the rules of the kind say. */
function archiveOf(text: string): Archive {
  const [, name, path] = /^([^/]+)\/(.+)$/.exec(text) ?? [];
  if (name !== undefined && path !== undefined && !text.startsWith('s3:')) return { storeRef: { name }, path };
  throw new HoldfastError('Usage', `--from-archive ${text} is not understood.`, {
    hint: 'Write the name of its BackupStore, a slash and its path: cellar/prod/v1/CLUSTER/NAMESPACE/SCHEDULE/RUN or cellar/s3://BUCKET/….',
  });
}
