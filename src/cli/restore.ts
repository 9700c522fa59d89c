/** `restore`: shows what is going to happen, asks, makes the Restore, and follows it. */
import { readFile } from 'node:fs/promises';
import type { Backup } from '../api/backup.ts';
import type { BackupKey } from '../api/backup-key.ts';
import type { KubeObject } from '../api/kubernetes.ts';
import { writersOf } from '../api/managers.ts';
import { API_VERSION } from '../api/meta.ts';
import type { PostgresqlTarget } from '../api/postgresql.ts';
import type { Restore, RestoreSpec, Workload } from '../api/restore.ts';
import { CRON_JOBS, isCronJob, scalableKindOf } from '../api/workloads.ts';
import { parseIdentities, recipientsOf } from '../keys/identities.ts';
import { fingerprint } from '../keys/recipients.ts';
import { isForbidden, isNotFound } from '../kube/errors.ts';
import { KIND, type KindRef } from '../kube/kinds.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { follow, verdictOn } from './follow.ts';
import { SECRET, type Secret } from './kinds.ts';
import { freshName, withoutStamp } from './names.ts';
import { EXIT } from './output.ts';
import { type PlanOptions, showPlan } from './planned.ts';
import { ask, canAsk } from './prompt.ts';
import { type Chosen, choose, type FromOptions } from './restore-from.ts';
import { mustBePossible, type PlanFacts, planText, targetOf, type WorkloadNow } from './restore-plan.ts';
import { type Cli, type CommonOptions, type NewThing, type Session, withSession } from './session.ts';
import { mustBeValid } from './validate.ts';
import { parseWorkload } from './workload-argument.ts';

export interface RestoreOptions extends CommonOptions, FromOptions, PlanOptions {
  readonly name?: string;
  readonly scaleDown?: readonly string[];
  readonly onConflict?: 'Fail' | 'Skip' | 'Replace';
  readonly database?: string;
  readonly targetDatabase?: string;
  readonly targetHost?: string;
  readonly targetSecret?: string;
  readonly keepPrevious?: string;
  readonly startDeadline?: string;
  /** False: `--no-safety-backup`. */
  readonly safetyBackup?: boolean;
  readonly identity?: string;
  readonly identityFile?: string;
  readonly yes?: boolean;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
  readonly force?: readonly string[];
  readonly ownership?: string;
}

type NewRestore = NewThing & { readonly spec: RestoreSpec };

const IDENTITY_KEY = 'identity';

export async function restore(cli: Cli, backupName: string | undefined, options: RestoreOptions): Promise<number> {
  if (options.identity !== undefined && options.identityFile !== undefined) {
    throw new HoldfastError('Usage', '--identity and --identity-file exclude each other.');
  }
  mustMakeSense(options);
  return withSession(cli, options, async (session) => {
    const chosen = await choose(session, backupName, options);
    const backup = 'backup' in chosen ? chosen.backup : undefined;
    const head = withoutStamp(backup?.metadata.name ?? 'archive');
    const name = options.name ?? freshName(options.plan === true ? `${head}-plan` : head, cli.now());
    const wanted = restoreObject(name, session.namespace, chosen, options);
    mustBeValid(wanted);
    const plan = await gather(session, backup, wanted.spec, options);
    const identity = options.identityFile === undefined ? undefined : await identityFor(backup, options.identityFile);
    if (options.dryRun === true) {
      cli.output.say(planText(plan, cli.now()));
      cli.output.objects(wanted, 'yaml');
      return EXIT.ok;
    }
    if (options.plan === true) {
      const tried = await session.create<Restore>(KIND.restore, wanted);
      const lent = identity === undefined ? undefined : await lendIdentity(session, tried, identity);
      try {
        return await showPlan(cli, session, tried, options);
      } finally {
        if (lent !== undefined) await takeBack(cli, session, lent);
      }
    }
    mustBePossible(plan);
    cli.output.say(planText(plan, cli.now()));
    await confirm(cli, plan, options);
    const made = await session.create<Restore>(KIND.restore, wanted);
    const secret = identity === undefined ? undefined : await lendIdentity(session, made, identity);
    cli.output.data(`restore.holdfast.dev/${name} created`);
    return end(cli, session, made, secret, options);
  });
}

function restoreObject(name: string, namespace: string, chosen: Chosen, options: RestoreOptions): NewRestore {
  const identity = identityReference(name, options);
  const workloads = (options.scaleDown ?? []).map(parseWorkload);
  const target = targetFrom(options);
  return {
    apiVersion: API_VERSION,
    kind: 'Restore',
    metadata: { name, namespace },
    spec: {
      from: {
        ...('backup' in chosen ? { backupRef: { name: chosen.backup.metadata.name } } : chosen),
        ...(options.database === undefined ? {} : { database: options.database }),
      },
      ...(target === undefined ? {} : { target: { postgresql: target } }),
      ...(options.onConflict === undefined ? {} : { onConflict: options.onConflict }),
      ...(workloads.length === 0 ? {} : { scaleDown: { workloads } }),
      ...(options.safetyBackup === false ? { safetyBackup: false } : {}),
      ...(options.keepPrevious === undefined ? {} : { keepPrevious: options.keepPrevious }),
      ...(options.startDeadline === undefined ? {} : { startDeadline: options.startDeadline }),
      ...(identity === undefined ? {} : { identity: { secretRef: identity } }),
      // What the names may be is the schema's to say.
      ...(options.force === undefined ? {} : { force: options.force as RestoreSpec['force'] & object }),
      ...(options.plan === true ? { dryRun: true } : {}),
    },
  };
}

function mustMakeSense({ plan, dryRun, keep, output }: RestoreOptions): void {
  if (plan === true && dryRun === true) {
    throw new HoldfastError('Usage', '--plan and --dry-run exclude each other.', {
      hint: '--plan has the operator look at archive and target; --dry-run only prints what would be sent.',
    });
  }
  if (plan !== true && (keep === true || output !== undefined)) {
    throw new HoldfastError('Usage', '--keep and -o belong to --plan.');
  }
}

function targetFrom({
  targetDatabase,
  targetHost,
  targetSecret,
  ownership,
}: RestoreOptions): PostgresqlTarget | undefined {
  const target: PostgresqlTarget = {
    ...(targetHost === undefined ? {} : { host: targetHost }),
    ...(targetDatabase === undefined ? {} : { database: targetDatabase }),
    ...(targetSecret === undefined ? {} : { credentials: { secretRef: { name: targetSecret } } }),
    ...(ownership === undefined ? {} : { ownership, privileges: 'Skip' }),
  };
  return Object.keys(target).length === 0 ? undefined : target;
}

export function identityReference(
  name: string,
  options: Pick<RestoreOptions, 'identity' | 'identityFile'>,
): { name: string; key: string } | undefined {
  if (options.identityFile !== undefined) return { name: `${name}-identity`, key: IDENTITY_KEY };
  if (options.identity === undefined) return undefined;
  const [secret = '', key = IDENTITY_KEY] = options.identity.split('/');
  return { name: secret, key };
}

async function gather(
  session: Session,
  backup: Backup | undefined,
  spec: RestoreSpec,
  options: RestoreOptions,
): Promise<PlanFacts> {
  const [workloads, key] = await Promise.all([
    Promise.all((spec.scaleDown?.workloads ?? []).map((workload) => asItIs(session, workload))),
    keyOf(session, backup),
  ]);
  return { backup, spec, workloads, key, identityFile: options.identityFile, namespace: session.namespace };
}

interface LookedAt extends KubeObject {
  readonly spec: { readonly replicas?: number; readonly suspend?: boolean };
}

/** The operator scales it, not we: whoever may not look at Deployments may still restore. */
export async function asItIs(session: Session, workload: Workload): Promise<WorkloadNow> {
  const place = { namespace: session.namespace, name: workload.name };
  // Of a kind that the admin allowed beyond those we do not know what the API server calls it.
  const kind: KindRef<LookedAt> | undefined = scalableKindOf(workload, [CRON_JOBS]);
  if (kind === undefined) return { workload, replicas: 'unknown' };
  try {
    const found = await session.cluster.get(kind, place);
    if (found === undefined) return { workload, replicas: undefined };
    const [field, replicas] = isCronJob(workload)
      ? ['suspend', found.spec.suspend === true ? 0 : 1]
      : ['replicas', found.spec.replicas ?? 1];
    return { workload, replicas, writers: writersOf(found.metadata.managedFields, ['spec', String(field)]) };
  } catch (caught) {
    if (!isForbidden(caught)) throw caught;
    return { workload, replicas: 'unknown' };
  }
}

/** As the operator chooses it: the one that the backup names, else the default one. */
async function keyOf(session: Session, backup: Backup | undefined): Promise<BackupKey | undefined> {
  const keys = await session.cluster.list(KIND.backupKey, { namespace: session.namespace });
  const keyRef = backup?.spec.keyRef;
  return keys.find(({ metadata, spec }) =>
    keyRef === undefined ? spec.default === true : metadata.name === keyRef.name,
  );
}

/** The private key of a file, once it is known to open this archive. */
export async function identityFor(backup: Backup | undefined, path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (caught) {
    throw new HoldfastError('FileUnreadable', `${path} cannot be read: ${messageOf(caught)}`, { cause: caught });
  }
  const identities = parseIdentities(text);
  const own = (await recipientsOf(identities)).map(fingerprint);
  // Of an archive without a Backup only its manifest knows: a Job tells.
  const readers = backup?.status?.keyFingerprints ?? [];
  if (readers.length > 0 && !own.some((each) => readers.includes(each))) {
    throw new HoldfastError(
      'WrongIdentity',
      `${path} does not open Backup "${backup?.metadata.name}": it is the key ${own.join(', ')}, and the archive is encrypted to ${readers.join(', ')}.`,
      {
        hint: `"kubectl holdfast inspect ${backup?.metadata.name}" tells whose keys those are.`,
      },
    );
  }
  return `${identities.join('\n')}\n`;
}

async function confirm(cli: Cli, plan: PlanFacts, options: RestoreOptions): Promise<void> {
  if (options.yes === true) return;
  const { database, host } = targetOf(plan);
  const everything = plan.backup === undefined ? 'host to restore to' : 'host to restore all databases of';
  const what = database === undefined ? everything : 'database to restore into';
  const name = database ?? host;
  if (!canAsk(cli)) {
    throw new HoldfastError(
      'NotConfirmed',
      'A restore asks before it begins, and there is nobody to ask: standard input is no terminal.',
      {
        hint: 'Give --yes.',
      },
    );
  }
  cli.output.say('');
  const answer = await ask(cli, `Type the name of the ${what} (${name}): `);
  if (answer !== name) throw new HoldfastError('NotConfirmed', `"${answer}" is not "${name}". Nothing was done.`);
}

/** Owned by the Restore, so that it goes with it at the latest. */
export async function lendIdentity(session: Session, restored: Restore, identity: string): Promise<Secret> {
  const { name, uid } = restored.metadata;
  try {
    return await session.create(SECRET, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: `${name}-${IDENTITY_KEY}`,
        ownerReferences: [{ apiVersion: API_VERSION, kind: 'Restore', name, uid }],
      },
      stringData: { [IDENTITY_KEY]: identity },
    } as NewThing);
  } catch (caught) {
    // It has not begun, and never could.
    await session.cluster.delete(KIND.restore, restored.metadata).catch(() => undefined);
    throw caught;
  }
}

export async function end(
  cli: Cli,
  session: Session,
  made: Restore,
  secret: Secret | undefined,
  options: Pick<RestoreOptions, 'wait'>,
): Promise<number> {
  const { namespace } = made.metadata;
  if (options.wait !== true) {
    cli.output.say(`Follow it: kubectl holdfast -n ${namespace} status --watch`);
    if (secret !== undefined) cli.output.warn(leftBehind(secret));
    return EXIT.ok;
  }
  const ended = await follow(cli, session, KIND.restore, made).catch((caught: unknown) => {
    if (secret !== undefined) cli.output.warn(leftBehind(secret));
    throw caught;
  });
  if (secret !== undefined) await takeBack(cli, session, secret);
  const ok = verdictOn(cli, 'Restore', ended);
  const { previousDatabase, previousDatabases = [], conditions } = ended.status ?? {};
  if (previousDatabase !== undefined) {
    cli.output.say(`The replaced database is kept as "${previousDatabase}" for ${ended.spec.keepPrevious ?? '24h'}.`);
  }
  if (previousDatabases.length > 0) {
    const names = previousDatabases.map((each) => `"${each}"`).join(', ');
    cli.output.say(`The replaced databases are kept for ${ended.spec.keepPrevious ?? '24h'}: ${names}.`);
  }
  if (previousDatabase !== undefined || previousDatabases.length > 0) {
    cli.output.say(`To undo: kubectl holdfast -n ${namespace} undo ${ended.metadata.name}`);
  }
  if (conditions?.some(({ reason }) => reason === 'AlreadyRestored')) {
    cli.output.warn('nothing was done: this very restore was live before. Another name restores again.');
  }
  return ok ? EXIT.ok : EXIT.failed;
}

function leftBehind({ metadata }: Secret): string {
  return `the private key is in the Secret ${metadata.name} until the Restore is deleted. When the restore is over: kubectl -n ${metadata.namespace} delete secret ${metadata.name}`;
}

async function takeBack(cli: Cli, session: Session, { metadata }: Secret): Promise<void> {
  const { name, uid } = metadata;
  try {
    await session.cluster.delete(SECRET, { namespace: session.namespace, name, uid });
  } catch (caught) {
    if (isNotFound(caught)) return;
    cli.output.warn(
      `the private key is still in the Secret ${name} (${messageOf(caught)}). Remove it: kubectl -n ${session.namespace} delete secret ${name}`,
    );
  }
}
