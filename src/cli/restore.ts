/** `restore`: shows what is going to happen, asks, makes the Restore, and follows it. */
import { readFile } from 'node:fs/promises';
import type { Backup } from '../api/backup.ts';
import type { BackupKey } from '../api/backup-key.ts';
import { API_VERSION } from '../api/meta.ts';
import type { Restore, RestoreSpec, Workload } from '../api/restore.ts';
import { parseIdentities, recipientsOf } from '../keys/identities.ts';
import { fingerprint } from '../keys/recipients.ts';
import { isForbidden, isNotFound } from '../kube/errors.ts';
import { KIND, WORKLOAD_KINDS } from '../kube/kinds.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import { follow, verdictOn } from './follow.ts';
import { SECRET, type Secret } from './kinds.ts';
import { freshName, withoutStamp } from './names.ts';
import { EXIT } from './output.ts';
import { ask, canAsk } from './prompt.ts';
import { mustBePossible, type PlanFacts, planText, targetOf, type WorkloadNow } from './restore-plan.ts';
import { type Cli, type CommonOptions, type NewThing, type Session, withSession } from './session.ts';
import { mustBeValid } from './validate.ts';

export interface RestoreOptions extends CommonOptions {
  readonly name?: string;
  readonly scaleDown?: readonly string[];
  readonly onConflict?: 'Fail' | 'Replace';
  readonly database?: string;
  readonly targetDatabase?: string;
  readonly keepPrevious?: string;
  readonly identity?: string;
  readonly identityFile?: string;
  readonly yes?: boolean;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
}

type NewRestore = NewThing & { readonly spec: RestoreSpec };

const IDENTITY_KEY = 'identity';

export async function restore(cli: Cli, backupName: string, options: RestoreOptions): Promise<number> {
  if (options.identity !== undefined && options.identityFile !== undefined) {
    throw new HoldfastError('Usage', '--identity and --identity-file exclude each other.');
  }
  return withSession(cli, options, async (session) => {
    const backup = await session.find(KIND.backup, backupName);
    const name = options.name ?? freshName(withoutStamp(backupName), cli.now());
    const wanted = restoreObject(name, session.namespace, backup, options);
    mustBeValid(wanted);
    const plan = await gather(session, backup, wanted.spec, options);
    const identity = options.identityFile === undefined ? undefined : await identityFor(backup, options.identityFile);
    if (options.dryRun === true) {
      cli.output.say(planText(plan, cli.now()));
      cli.output.objects(wanted, 'yaml');
      return EXIT.ok;
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

function restoreObject(name: string, namespace: string, backup: Backup, options: RestoreOptions): NewRestore {
  const identity = identityReference(name, options);
  const workloads = (options.scaleDown ?? []).map(parseWorkload);
  return {
    apiVersion: API_VERSION,
    kind: 'Restore',
    metadata: { name, namespace },
    spec: {
      from: {
        backupRef: { name: backup.metadata.name },
        ...(options.database === undefined ? {} : { database: options.database }),
      },
      ...(options.targetDatabase === undefined ? {} : { target: { postgresql: { database: options.targetDatabase } } }),
      ...(options.onConflict === undefined ? {} : { onConflict: options.onConflict }),
      ...(workloads.length === 0 ? {} : { scaleDown: { workloads } }),
      ...(options.keepPrevious === undefined ? {} : { keepPrevious: options.keepPrevious }),
      ...(identity === undefined ? {} : { identity: { secretRef: identity } }),
    },
  };
}

function identityReference(name: string, options: RestoreOptions): { name: string; key: string } | undefined {
  if (options.identityFile !== undefined) return { name: `${name}-identity`, key: IDENTITY_KEY };
  if (options.identity === undefined) return undefined;
  const [secret = '', key = IDENTITY_KEY] = options.identity.split('/');
  return { name: secret, key };
}

const WORKLOAD_WORDS: Readonly<Record<string, Workload['kind']>> = {
  deployment: 'Deployment',
  deployments: 'Deployment',
  deploy: 'Deployment',
  statefulset: 'StatefulSet',
  statefulsets: 'StatefulSet',
  sts: 'StatefulSet',
};

/** `deployment/web`, as kubectl names it. */
function parseWorkload(text: string): Workload {
  const [kind = '', name = '', ...rest] = text.split('/');
  const found = WORKLOAD_WORDS[kind.toLowerCase()];
  if (found === undefined || name === '' || rest.length > 0) {
    throw new HoldfastError('Usage', `--scale-down ${text} is not understood.`, {
      hint: 'Write deployment/NAME or statefulset/NAME.',
    });
  }
  return { kind: found, name };
}

async function gather(
  session: Session,
  backup: Backup,
  spec: RestoreSpec,
  options: RestoreOptions,
): Promise<PlanFacts> {
  const [workloads, key] = await Promise.all([
    Promise.all((spec.scaleDown?.workloads ?? []).map((workload) => asItIs(session, workload))),
    keyOf(session, backup),
  ]);
  return { backup, spec, workloads, key, identityFile: options.identityFile, namespace: session.namespace };
}

/** The operator scales it, not we: whoever may not look at Deployments may still restore. */
async function asItIs(session: Session, workload: Workload): Promise<WorkloadNow> {
  const place = { namespace: session.namespace, name: workload.name };
  try {
    const found = await session.cluster.get(WORKLOAD_KINDS[workload.kind], place);
    return { workload, replicas: found === undefined ? undefined : (found.spec.replicas ?? 1) };
  } catch (caught) {
    if (!isForbidden(caught)) throw caught;
    return { workload, replicas: 'unknown' };
  }
}

/** As the operator chooses it: the one that the backup names, else the default one. */
async function keyOf(session: Session, backup: Backup): Promise<BackupKey | undefined> {
  const keys = await session.cluster.list(KIND.backupKey, { namespace: session.namespace });
  const { keyRef } = backup.spec;
  return keys.find(({ metadata, spec }) =>
    keyRef === undefined ? spec.default === true : metadata.name === keyRef.name,
  );
}

/** The private key of a file, once it is known to open this archive. */
async function identityFor(backup: Backup, path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (caught) {
    throw new HoldfastError('FileUnreadable', `${path} cannot be read: ${messageOf(caught)}`, { cause: caught });
  }
  const identities = parseIdentities(text);
  const own = (await recipientsOf(identities)).map(fingerprint);
  const readers = backup.status?.keyFingerprints ?? [];
  if (readers.length > 0 && !own.some((each) => readers.includes(each))) {
    throw new HoldfastError(
      'WrongIdentity',
      `${path} does not open Backup "${backup.metadata.name}": it is the key ${own.join(', ')}, and the archive is encrypted to ${readers.join(', ')}.`,
      {
        hint: `"kubectl holdfast inspect ${backup.metadata.name}" tells whose keys those are.`,
      },
    );
  }
  return `${identities.join('\n')}\n`;
}

async function confirm(cli: Cli, plan: PlanFacts, options: RestoreOptions): Promise<void> {
  if (options.yes === true) return;
  const { database, host } = targetOf(plan);
  const what = database === undefined ? 'host to restore all databases of' : 'database to restore into';
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
async function lendIdentity(session: Session, restored: Restore, identity: string): Promise<Secret> {
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

async function end(
  cli: Cli,
  session: Session,
  made: Restore,
  secret: Secret | undefined,
  options: RestoreOptions,
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
