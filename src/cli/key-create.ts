/** `key create`: a key pair made on this machine, of which the cluster learns the public half. */
import { stringify } from 'yaml';
import { API_VERSION } from '../api/meta.ts';
import { newIdentity } from '../keys/identities.ts';
import { fingerprint } from '../keys/recipients.ts';
import { isAlreadyExists } from '../kube/errors.ts';
import { KIND } from '../kube/kinds.ts';
import { HoldfastError } from '../lib/errors.ts';
import { SECRET } from './kinds.ts';
import { EXIT } from './output.ts';
import { writePrivate } from './private-file.ts';
import { type Cli, type CommonOptions, type NewThing, type Session, withSession } from './session.ts';
import { mustBeValid } from './validate.ts';

export interface KeyCreateOptions extends CommonOptions {
  readonly default?: boolean;
  readonly out?: string;
  readonly postQuantum?: boolean;
  readonly storeIdentity?: boolean;
  readonly dryRun?: boolean;
}

/** The key of the Secret that holds the private key. */
const IDENTITY_KEY = 'identity';

interface KeyPair {
  readonly identity: string;
  readonly recipient: string;
}

export async function keyCreate(cli: Cli, name: string, options: KeyCreateOptions): Promise<number> {
  const pair = await newIdentity(options.postQuantum === true ? 'post-quantum' : 'classic');
  const secret = options.storeIdentity === true ? `${name}-identity` : undefined;
  const draft = keyObject(name, pair, secret, options);
  mustBeValid(draft);
  if (options.dryRun === true) return printOnly(cli, draft, pair, options);
  return withSession(cli, options, async (session) => {
    await refuseTaken(session, name, options.default === true);
    await session.tryCreate(KIND.backupKey, draft);
    // The private key is safe on disk before anything can be encrypted to it.
    const kept = await keep(cli, name, pair, options, cli.now());
    if (secret !== undefined) await storeIdentity(session, secret, name, pair);
    await session.create(KIND.backupKey, draft);
    if (options.out !== '-')
      cli.output.data(`backupkey.holdfast.dev/${name} created in namespace ${session.namespace}`);
    else cli.output.say(`backupkey.holdfast.dev/${name} created in namespace ${session.namespace}`);
    cli.output.say(farewell({ kept, secret, pair, name, isDefault: options.default === true }));
    return EXIT.ok;
  });
}

function keyObject(
  name: string,
  { recipient }: KeyPair,
  secret: string | undefined,
  options: KeyCreateOptions,
): NewThing & { readonly spec: object } {
  return {
    apiVersion: API_VERSION,
    kind: 'BackupKey',
    metadata: { name },
    spec: {
      recipients: [recipient],
      ...(options.default === true ? { default: true } : {}),
      ...(secret === undefined ? {} : { identity: { secretRef: { name: secret, key: IDENTITY_KEY } } }),
    },
  };
}

/** For Git: the object on standard output, the private key in its file, nothing sent. */
async function printOnly(cli: Cli, key: NewThing, pair: KeyPair, options: KeyCreateOptions): Promise<number> {
  if (options.storeIdentity === true || options.out === '-') {
    throw new HoldfastError(
      'Usage',
      '--dry-run prints the BackupKey and writes the private key to a file; it goes with neither --store-identity nor --out -.',
    );
  }
  const kept = await keep(cli, key.metadata.name, pair, options, cli.now());
  cli.output.data(stringify(key, { lineWidth: 0 }).trimEnd());
  cli.output.say(`Nothing was sent. The private key is in ${kept}.`);
  return EXIT.ok;
}

/** Before a pair is made that nobody will use. */
async function refuseTaken(session: Session, name: string, isDefault: boolean): Promise<void> {
  const keys = await session.cluster.list(KIND.backupKey, { namespace: session.namespace });
  if (keys.some(({ metadata }) => metadata.name === name)) {
    throw new HoldfastError(
      'AlreadyExists',
      `There is a BackupKey "${name}" in namespace "${session.namespace}" already.`,
      {
        hint: 'Choose another name. To add a reader to that key, add its public key to spec.recipients.',
      },
    );
  }
  const other = keys.find(({ spec }) => spec.default === true);
  if (isDefault && other !== undefined) {
    throw new HoldfastError(
      'DefaultConflict',
      `BackupKey "${other.metadata.name}" is the default already; with two defaults none counts.`,
      {
        hint: `Leave out --default, or first: kubectl -n ${session.namespace} patch backupkey ${other.metadata.name} --type merge -p '{"spec":{"default":false}}'`,
      },
    );
  }
}

/** Where the private key is now, in words. */
async function keep(cli: Cli, name: string, pair: KeyPair, options: KeyCreateOptions, now: Date): Promise<string> {
  const text = identityFile(pair, now);
  if (options.out === '-') {
    cli.output.data(text.trimEnd());
    return 'standard output, once';
  }
  const path = options.out ?? `${name}.key`;
  await writePrivate(path, text);
  return path;
}

/** As age-keygen writes it, so that age and every tool of its kind reads it. */
function identityFile({ identity, recipient }: KeyPair, now: Date): string {
  return `# created: ${now.toISOString().slice(0, 19)}Z\n# public key: ${recipient}\n${identity}\n`;
}

async function storeIdentity(session: Session, secret: string, key: string, { identity }: KeyPair): Promise<void> {
  try {
    await session.create(SECRET, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: secret,
        annotations: { 'holdfast.dev/note': `Private key of BackupKey ${key}: whoever reads it reads every archive.` },
      },
      stringData: { [IDENTITY_KEY]: `${identity}\n` },
    } as NewThing);
  } catch (caught) {
    if (!isAlreadyExists(caught)) throw caught;
    throw new HoldfastError(
      'AlreadyExists',
      `There is a Secret "${secret}" already; it may hold another private key, so it is not touched. The BackupKey was not made.`,
      {
        hint: 'Choose another name for the key.',
        cause: caught,
      },
    );
  }
}

function farewell(made: {
  readonly kept: string;
  readonly secret: string | undefined;
  readonly pair: KeyPair;
  readonly name: string;
  readonly isDefault: boolean;
}): string {
  const lines = [
    `fingerprint  ${fingerprint(made.pair.recipient)}`,
    `private key  ${made.kept}`,
    '',
    'Keep the private key outside this cluster, in two places: nobody, and no support, opens an archive without it.',
  ];
  if (made.secret !== undefined) {
    lines.push(
      `It is also in the Secret ${made.secret}, because of --store-identity: restores need nothing else now, and whoever can read Secrets of this namespace, or etcd, can read every archive. Without that Secret the cluster could not read its own past.`,
    );
  }
  if (!made.isDefault)
    lines.push(`Backups use it when they name it (spec.keyRef.name: ${made.name}) or when it says default: true.`);
  return lines.join('\n');
}
