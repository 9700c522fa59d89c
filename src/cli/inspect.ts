/** `inspect`: everything that is known of a backup, who can open it, and how, without us. */
import type { Backup } from '../api/backup.ts';
import type { BackupKey } from '../api/backup-key.ts';
import { type BackupStore, resolveEndpoint } from '../api/backup-store.ts';
import { selectionLines, selectionOf } from '../api/postgresql-selection.ts';
import { fingerprint } from '../keys/recipients.ts';
import { KIND } from '../kube/kinds.ts';
import { formatBytes } from '../lib/bytes.ts';
import { formatDuration } from '../lib/duration.ts';
import { scheduleOf } from './list.ts';
import { databaseOf, shownDatabase } from './names.ts';
import { EXIT, type Format } from './output.ts';
import { isComplete, phaseOf, spanOf } from './run.ts';
import { type Cli, type CommonOptions, withSession } from './session.ts';
import { harmless } from './style.ts';
import { facts } from './table.ts';
import { age } from './words.ts';

export async function inspect(
  cli: Cli,
  name: string,
  options: CommonOptions & { readonly output?: Format },
): Promise<number> {
  return withSession(cli, options, async (session) => {
    const backup = await session.find(KIND.backup, name);
    if (options.output === 'json' || options.output === 'yaml') {
      cli.output.objects(backup, options.output);
      return EXIT.ok;
    }
    const { namespace } = session;
    const [keys, store] = await Promise.all([
      session.cluster.list(KIND.backupKey, { namespace }),
      session.cluster.get(KIND.backupStore, { namespace, name: backup.spec.storeRef.name }),
    ]);
    cli.output.data(inspectText({ backup, keys, store }, cli.now()));
    return EXIT.ok;
  });
}

export interface InspectFacts {
  readonly backup: Backup;
  readonly keys: readonly BackupKey[];
  readonly store: BackupStore | undefined;
}

export function inspectText(found: InspectFacts, now: Date): string {
  const { backup } = found;
  const { status, spec, metadata } = backup;
  const own = facts([
    ['name', `${metadata.namespace}/${metadata.name}`],
    ['schedule', scheduleOf(backup) ?? 'none: made by hand'],
    ['database', shownDatabase(databaseOf(backup))],
    ['part of it', partText(backup)],
    ['app', appText(backup)],
    ['phase', phaseOf(backup)],
    ['failure', failureText(backup)],
    ['made', `${metadata.creationTimestamp}, ${age(metadata.creationTimestamp, now)} ago`],
    ['took', status?.startTime === undefined ? undefined : formatDuration(spanOf(backup, now))],
    ['verified', verifiedText(backup, now)],
    // 0: only an attempt that did not live to tell knew it.
    ['dump', status?.sizes?.source === 0 ? 'not known' : sizeText(status?.sizes?.source)],
    ['stored', sizeText(status?.sizes?.stored)],
    ['server', status?.server === undefined ? undefined : harmless(`${status.server.engine} ${status.server.version}`)],
    ['dumped by', status?.tool === undefined ? undefined : harmless(status.tool)],
    ['store', storeText(found)],
    ['location', status?.location === undefined ? undefined : harmless(status.location)],
    ['manifest', status?.manifestDigest],
    ['job', isComplete(backup) ? undefined : status?.jobName],
    ['uid', metadata.uid],
  ]);
  const keyName = spec.keyRef?.name;
  const sections = [own, `WHO CAN OPEN IT${keyName === undefined ? '' : ` (key ${keyName})`}\n${readersText(found)}`];
  if (isComplete(backup)) sections.push(`BY HAND, WITHOUT HOLDFAST\n${byHand(found)}`);
  return sections.join('\n\n');
}

/** What a restore is going to be compared with. */
function appText({ status, spec }: Backup): string | undefined {
  const { version, requireSameNodes, nodes } = status?.application ?? { nodes: undefined, ...spec.application };
  const sealed =
    requireSameNodes === true ? `restores to the same nodes only: ${nodes?.join(', ') || 'not known'}` : '';
  const lines = [version === undefined ? '' : `version ${version}`, sealed].filter((line) => line !== '');
  return lines.length === 0 ? undefined : harmless(lines.join('\n'));
}

/** What was selected of the database. */
function partText({ spec }: Backup): string | undefined {
  const selection = selectionOf(spec.source.postgresql);
  if (selection === undefined) return undefined;
  return harmless([...selectionLines(selection), 'restores to a database that is empty or not there'].join('\n'));
}

function failureText({ status }: Backup): string | undefined {
  const failure = status?.failure;
  if (failure === undefined) return undefined;
  return harmless(
    [`${failure.reason}: ${failure.message}`, ...(failure.hint === undefined ? [] : [`next: ${failure.hint}`])].join(
      '\n',
    ),
  );
}

const VERIFIED = {
  ReadBack: 'every byte was read back, decrypted, compared and parsed to the end',
  Restored: 'a drill restored it into a server of its own, and every check held',
} as const;

function verifiedText({ status }: Backup, now: Date): string {
  const verification = status?.verification;
  if (verification === undefined) return 'no';
  return `${verification.level}, ${age(verification.time, now)} ago: ${VERIFIED[verification.level]}`;
}

function sizeText(bytes: number | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  return bytes < 1024 ? formatBytes(bytes) : `${formatBytes(bytes)} (${bytes.toLocaleString('en')} bytes)`;
}

function storeText({ backup, store }: InspectFacts): string {
  const { name } = backup.spec.storeRef;
  return store === undefined
    ? `${name}, which is no longer there`
    : `${name}, ${resolveEndpoint(store.spec.s3.endpoint)}`;
}

/** The archive's own list counts: a key may have got other readers since. */
function readersText({ backup, keys }: InspectFacts): string {
  const readers = backup.status?.keyFingerprints;
  if (readers === undefined || readers.length === 0) return '  nothing is written yet';
  const lines = readers.map((reader) => {
    const owner = keys.find(({ spec }) => spec.recipients.map(fingerprint).includes(reader));
    return `  ${reader}  ${owner === undefined ? 'no BackupKey of this namespace has this reader (any more)' : ownerText(owner)}`;
  });
  const added = newReaders(backup, keys, readers);
  return [...lines, ...added].join('\n');
}

function ownerText({ metadata, spec }: BackupKey): string {
  const where =
    spec.identity === undefined ? 'private key elsewhere' : `private key in Secret ${spec.identity.secretRef.name}`;
  return `BackupKey ${metadata.name}, ${where}`;
}

/** Somebody who was added to the key later believes that the archive is theirs to open. */
function newReaders(backup: Backup, keys: readonly BackupKey[], readers: readonly string[]): string[] {
  const key =
    keys.find(({ metadata }) => metadata.name === backup.spec.keyRef?.name) ??
    keys.find(({ spec }) => spec.default === true);
  return (key?.spec.recipients ?? [])
    .map(fingerprint)
    .filter((reader) => !readers.includes(reader))
    .map((reader) => `  ${reader}  cannot open it: was added to BackupKey ${key?.metadata.name} after this backup`);
}

/** Standard programs only, so that it works in ten years on any machine. */
function byHand({ backup, store }: InspectFacts): string {
  const { database = 'database' } = databaseOf(backup);
  const endpoint = store === undefined ? 'https://ENDPOINT' : resolveEndpoint(store.spec.s3.endpoint);
  const location = (backup.status?.location ?? '').replace(/\/$/, '');
  return [
    '  # identity.txt is a private key of one of those above; the credentials of the bucket are in the environment',
    `  aws --endpoint-url ${quoted(endpoint)} s3 sync ${quoted(location)} archive && cd archive`,
    `  sha256sum manifest.json    # ${(backup.status?.manifestDigest ?? '').replace('sha256:', '')}`,
    ...(backup.spec.source.postgresql.scope === 'Instance' ? forServer() : forDatabase(database)),
  ].join('\n');
}

/** Each part is a file of its own, and what is in which only the contents tell: so do the commands, by name. */
function forServer(): string[] {
  return [
    '  # what is in it, and at its end, in recipe, the commands for the roles and for each database',
    `  age -d -i identity.txt "$(jq -r .contents.key manifest.json)" | zstd -d | jq -r '.recipe[]'`,
  ];
}

function forDatabase(database: string): string[] {
  return [
    `  cat $(jq -r '.segments[].key' manifest.json) | age -d -i identity.txt | zstd -d > database.dump`,
    `  createdb --template=template0 ${quoted(`${database}_by_hand`)}`,
    `  pg_restore --exit-on-error --dbname=${quoted(`${database}_by_hand`)} database.dump`,
  ];
}

/** For a shell: what needs no quotes gets none. */
function quoted(text: string): string {
  return /^[-\w@%+=:,./]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
