/** `drill`: restores a backup into a server that is thrown away, follows it, and tells what came of it. */
import type { Backup } from '../api/backup.ts';
import { isTrue } from '../api/conditions.ts';
import { API_VERSION } from '../api/meta.ts';
import { LABELS, scheduleLabel } from '../api/names.ts';
import type { Restore, RestoreSpec } from '../api/restore.ts';
import { KIND } from '../kube/kinds.ts';
import { HoldfastError } from '../lib/errors.ts';
import { drillText } from './drill-text.ts';
import { freshName, withoutStamp } from './names.ts';
import { EXIT } from './output.ts';
import { end, identityFor, identityReference, lendIdentity } from './restore.ts';
import { type Cli, type CommonOptions, type NewThing, type Session, withSession } from './session.ts';
import { mustBeValid } from './validate.ts';

export interface DrillOptions extends CommonOptions {
  readonly schedule?: string;
  readonly image?: string;
  readonly storage?: string;
  readonly check?: readonly string[];
  readonly database?: string;
  readonly identity?: string;
  readonly identityFile?: string;
  readonly name?: string;
  /** False with --no-wait. */
  readonly wait: boolean;
  readonly dryRun?: boolean;
  readonly output?: 'json' | 'yaml';
}

type NewDrill = NewThing & { readonly spec: RestoreSpec };

export async function drill(cli: Cli, backupName: string | undefined, options: DrillOptions): Promise<number> {
  if ((backupName === undefined) === (options.schedule === undefined)) {
    throw new HoldfastError('Usage', 'Say what to restore: either BACKUP, or --schedule NAME for its newest.');
  }
  if (options.identity !== undefined && options.identityFile !== undefined) {
    throw new HoldfastError('Usage', '--identity and --identity-file exclude each other.');
  }
  return withSession(cli, options, async (session) => {
    const backup = await backupFor(session, backupName, options);
    const wanted = await drillObject(cli, session, backup, options);
    mustBeValid(wanted);
    const identity = options.identityFile === undefined ? undefined : await identityFor(backup, options.identityFile);
    if (options.dryRun === true) {
      cli.output.objects(wanted, options.output ?? 'yaml');
      return EXIT.ok;
    }
    const made = await session.create<Restore>(KIND.restore, wanted);
    const secret = identity === undefined ? undefined : await lendIdentity(session, made, identity);
    if (options.output === undefined) cli.output.data(`restore.holdfast.dev/${made.metadata.name} created`);
    const code = await end(cli, session, made, secret, options);
    await tell(cli, session, made, options);
    return code;
  });
}

async function backupFor(session: Session, name: string | undefined, { schedule }: DrillOptions): Promise<Backup> {
  if (name !== undefined) return session.find(KIND.backup, name);
  const { metadata } = await session.find(KIND.backupSchedule, schedule ?? '');
  const labelSelector = `${LABELS.schedule}=${scheduleLabel(metadata.name)}`;
  const newest = (await session.cluster.list(KIND.backup, { namespace: session.namespace, labelSelector }))
    .filter(({ status }) => isTrue(status?.conditions, 'Complete'))
    .toSorted((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp))
    .at(-1);
  if (newest !== undefined) return newest;
  throw new HoldfastError('NotFound', `BackupSchedule "${metadata.name}" has no Complete backup.`, {
    hint: `See why: kubectl holdfast -n ${session.namespace} list --schedule ${metadata.name}`,
  });
}

/** As the schedule drills, where one is named; what is said here counts over that. */
async function drillObject(cli: Cli, session: Session, backup: Backup, options: DrillOptions): Promise<NewDrill> {
  const name = options.name ?? freshName(`drill-${withoutStamp(backup.metadata.name)}`, cli.now());
  const own =
    options.schedule === undefined ? undefined : (await session.find(KIND.backupSchedule, options.schedule)).spec.drill;
  const reference = identityReference(name, options);
  const identity = reference === undefined ? own?.identity : { secretRef: reference };
  const checks = options.check?.map(parseCheck) ?? own?.checks;
  const { image, storage, database } = options;
  return {
    apiVersion: API_VERSION,
    kind: 'Restore',
    metadata: { name, namespace: session.namespace },
    spec: {
      from: { backupRef: { name: backup.metadata.name }, ...(database === undefined ? {} : { database }) },
      target: {
        ephemeral: {
          ...own?.ephemeral,
          ...(image === undefined ? {} : { image }),
          ...(storage === undefined ? {} : { storage: { size: storage } }),
        },
      },
      ...(identity === undefined ? {} : { identity }),
      ...(checks === undefined ? {} : { checks: [...checks] }),
    },
  };
}

/** `orders=SELECT count(*) > 0 FROM orders`: a name, and a query whose answer must be true. */
function parseCheck(text: string): NonNullable<RestoreSpec['checks']>[number] {
  const split = text.indexOf('=');
  if (split < 1) {
    throw new HoldfastError('Usage', `--check ${text} is not understood.`, {
      hint: "Write NAME=QUERY, with a query that answers true, such as --check 'orders=SELECT count(*) > 0 FROM orders'.",
    });
  }
  return { name: text.slice(0, split), sql: text.slice(split + 1), expect: 'true' };
}

async function tell(cli: Cli, session: Session, made: Restore, { wait, output }: DrillOptions): Promise<void> {
  const last = wait ? await session.cluster.get(KIND.restore, made.metadata) : undefined;
  if (output !== undefined) {
    cli.output.objects(last ?? made, output);
    return;
  }
  const text = last === undefined ? undefined : drillText(last, cli.output.paint);
  if (text !== undefined) cli.output.data(text);
}
