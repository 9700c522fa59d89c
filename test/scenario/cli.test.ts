/** Every command of the plugin as a process of its own, against a real API server. The operator's part is played by the test. */
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Decrypter, generateX25519Identity } from 'age-encryption';
import { parse } from 'yaml';
import type { Backup } from '../../src/api/backup.ts';
import type { Restore } from '../../src/api/restore.ts';
import { KIND, type KindRef } from '../../src/kube/kinds.ts';
import { run as runProgram } from '../cluster/command.ts';
import { program } from '../cluster/programs.ts';
import { waitFor } from '../cluster/wait.ts';
import { completeStatus, failedStatus, fillShop, runningStatus, type Shop, said } from '../support/cli-shop.ts';
import { CliWorld, type Ended, type PluginOptions, plugin } from '../support/cli-world.ts';
import { kubectl } from '../support/kube-crds.ts';

jest.setTimeout(60_000);

let world: CliWorld;
let shop: Shop;

beforeAll(async () => {
  world = await CliWorld.up();
  shop = await fillShop(world, 'shop');
}, 120_000);

afterAll(async () => {
  await world?.down();
});

const inShop = (args: readonly string[], options: PluginOptions = {}) => world.plugin(['-n', 'shop', ...args], options);

/** The object that a command says it has made. */
function madeBy({ stdout }: Ended): string {
  return /^\w+\.holdfast\.dev\/(\S+) created/m.exec(stdout)?.[1] ?? `nothing was made: ${stdout}`;
}

const get = <T extends Backup | Restore>(kind: KindRef<T>, name: string) =>
  world.people.get(kind, { namespace: 'shop', name });

/** What `ask` answers once it has an answer. */
async function eventually<T>(ask: () => Promise<T | undefined>, what: string): Promise<T> {
  let found: T | undefined;
  const there = async () => {
    found = await ask();
    return found !== undefined;
  };
  await waitFor(there, { timeoutMs: 30_000, everyMs: 50, otherwise: () => `there is no ${what}` });
  return found as T;
}

/** Plays the operator: writes the status of the object that was not there before. */
async function whenMade<T extends Backup | Restore>(
  kind: KindRef<T>,
  before: readonly string[],
  status: object,
): Promise<T> {
  const made = async () => {
    const all = await world.people.list(kind, { namespace: 'shop' });
    return all.find(({ metadata }) => !before.includes(metadata.name));
  };
  const found = await eventually(made, `new ${kind.kind}`);
  await world.setStatus(kind, found, status);
  return found;
}

const namesOf = async (kind: KindRef<Backup> | KindRef<Restore>) =>
  (await world.people.list(kind as KindRef<Backup>, { namespace: 'shop' })).map(({ metadata }) => metadata.name);

describe('the command line', () => {
  test('without a command shows what there is, on standard error, and ends with 2', async () => {
    const { code, stdout, stderr } = await plugin([]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('Exit codes: 0 done, 1 failed or something is wrong, 2 asked wrongly.');
  });

  test('--help is an answer', async () => {
    const { code, stdout, stderr } = await plugin(['restore', '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('--scale-down');
    expect(stdout).toContain('--kubeconfig');
  });

  test.each([
    [['lsit'], /unknown command 'lsit'[\s\S]*list/],
    [['list', '--shedule', 'x'], /unknown option '--shedule'[\s\S]*--schedule/],
    [['list', '-o', 'xml'], /json, yaml, wide/],
    [['inspect'], /missing required argument 'backup'/],
    [['backup'], /--from SCHEDULE, or --like BACKUP/],
    [['restore'], /Say what to restore/],
    [['restore', 'x', '--scale-down', 'job/y', '--on-conflict', 'replace'], /Fail, Skip, Replace/],
    [['schedule', 'next', 'x', '-c', '0'], /whole number/],
  ])('%j is asked wrongly', async (args, message) => {
    const { code, stdout, stderr } = await inShop(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^next: /m);
  });

  test('works as an installed package, with nothing beside it', async () => {
    const root = join(import.meta.dirname, '..', '..');
    const installed = join(world.folder, 'node_modules', 'holdfast');
    await mkdir(join(installed, 'dist', 'main'), { recursive: true });
    await runProgram('cp', ['-r', ...['bin', 'package.json'].map((name) => join(root, name)), installed]);
    await runProgram('cp', [join(root, 'dist', 'main', 'kubectl.mjs'), join(installed, 'dist', 'main')]);
    const bin = join(installed, 'bin', 'kubectl-holdfast.mjs');
    const env = { PATH: process.env['PATH'] ?? '', HOME: world.folder, KUBECONFIG: world.server.kubeconfig };
    expect(await runProgram(process.execPath, [bin, '-n', 'shop', 'list'], { env })).toContain('nightly-202611240117');
  });

  test('works as a plugin of kubectl', async () => {
    const folder = join(world.folder, 'path');
    await mkdir(folder, { recursive: true });
    await symlink(
      join(import.meta.dirname, '..', '..', 'bin', 'kubectl-holdfast.mjs'),
      join(folder, 'kubectl-holdfast'),
    );
    await symlink(process.execPath, join(folder, 'node'));
    const env = { PATH: `${folder}:${process.env['PATH']}`, KUBECONFIG: world.server.kubeconfig, HOME: world.folder };
    const text = await runProgram(
      await program('kubectl'),
      ['holdfast', '-n', 'shop', 'schedule', 'next', 'nightly', '-c', '1'],
      { env },
    );
    expect(text).toContain('LOCAL (Europe/Warsaw)');
  });
});

describe('who cannot be served is told why and what to do', () => {
  test.each<[string, readonly string[], PluginOptions, RegExp]>([
    ['no kubeconfig', ['list'], { env: { KUBECONFIG: '' } }, /There is no kubeconfig[\s\S]*--kubeconfig FILE/],
    ['a kubeconfig that is not there', ['list', '--kubeconfig', '/nope'], {}, /There is no file \/nope/],
    ['a context that is not there', ['list', '--context', 'nope'], {}, /no context "nope"[\s\S]*holdfast-api-server/],
  ])('%s', async (_what, args, options, message) => {
    const { code, stdout, stderr } = await world.plugin(args, options);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test('no kubeconfig, but a broken one', async () => {
    const path = join(world.folder, 'broken');
    await writeFile(path, 'clusters: [');
    const { code, stderr } = await world.plugin(['list', '--kubeconfig', path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/cannot be read as a kubeconfig/);
  });

  test('an API server that does not answer', async () => {
    const path = join(world.folder, 'elsewhere');
    const text = await readFile(world.server.kubeconfig, 'utf8');
    await writeFile(path, text.replace(/server: .*/, 'server: https://127.0.0.1:1'));
    const { code, stderr } = await world.plugin(['list', '--kubeconfig', path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not answer: .*ECONNREFUSED[\s\S]*current-context/);
  });

  test.each([['list'], ['status'], ['inspect', 'x'], ['backup', '--from', 'nightly'], ['key', 'list']])(
    'somebody without rights: %s',
    async (...args) => {
      const { code, stdout, stderr } = await inShop(args, { env: { KUBECONFIG: await world.stranger('stranger') } });
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toMatch(/You may not do this: \S+( "\S+")? is forbidden: User "stranger" cannot/);
      expect(stderr).toMatch(/RoleBinding/);
    },
  );

  test('a name that is nearly right', async () => {
    const { code, stderr } = await inShop(['inspect', 'nightly-202611240118']);
    expect(code).toBe(1);
    expect(stderr).toContain('There is no Backup "nightly-202611240118" in namespace "shop".');
    expect(stderr).toContain('Did you mean "nightly-202611240117"?');
  });

  test('a namespace without any', async () => {
    const { code, stderr } = await world.plugin(['inspect', 'x']);
    expect(code).toBe(1);
    expect(stderr).toContain('This namespace has no Backup at all.');
  });
});

describe('list', () => {
  test('has a row for each backup', async () => {
    const { code, stdout } = await inShop(['list', '--schedule', 'nightly']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NAME +SCHEDULE +DATABASE +PHASE +SIZE +VERIFIED +AGE$/m);
    expect(stdout).toMatch(/^nightly-202611240117 +nightly +orders +Complete +1\.2 GiB +ReadBack +\d+[sm]/m);
    expect(stdout).toMatch(/^nightly-202611230117 +nightly +orders +Failed: HostUnreachable +- +no /m);
    expect(stdout).not.toContain('before-upgrade');
    expect(stdout).not.toContain('\u001b');
  });

  test('-o json is what the API server has', async () => {
    const { stdout } = await inShop(['list', '-o', 'json']);
    const found = JSON.parse(stdout) as { kind: string; items: Backup[] };
    expect(found.kind).toBe('List');
    expect(found.items.find(({ metadata }) => metadata.name === 'nightly-202611240117')?.status?.sizes?.stored).toBe(
      1_288_490_189,
    );
  });

  test('-A has a column for the namespace, and -o wide the location', async () => {
    const { stdout } = await world.plugin(['list', '-A', '-o', 'wide']);
    expect(stdout).toMatch(/^NAMESPACE +NAME .* LOCATION$/m);
    expect(stdout).toMatch(/^shop +nightly-202611240117 .*s3:\/\/acme\/prod/m);
  });

  test('nothing found is no failure, but an unknown schedule is one', async () => {
    expect(await world.plugin(['list'])).toMatchObject({
      code: 0,
      stdout: '',
      stderr: expect.stringContaining('There is no backup in namespace "default"'),
    });
    expect(await inShop(['list', '--schedule', 'nighty'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Did you mean "nightly"?'),
    });
  });

  test('colours are for a terminal without NO_COLOR', async () => {
    expect((await inShop(['list'], { terminal: [] })).stdout).toContain('\u001b[32mComplete');
    expect((await inShop(['list'], { terminal: [], env: { NO_COLOR: '1' } })).stdout).not.toContain('\u001b[');
  });
});

test('inspect tells who can open a backup, where it is, and how to open it by hand', async () => {
  const { code, stdout } = await inShop(['inspect', 'nightly-202611240117']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^dump: +5\.0 GiB \(5,368,709,120 bytes\)$/m);
  expect(stdout).toMatch(/sha256:[0-9a-f]{32} {2}BackupKey team, private key elsewhere/);
  expect(stdout).toContain(
    'aws --endpoint-url https://s3.example.com s3 sync s3://acme/prod/v1/lodz/shop/nightly/20261124T020000Z-1a2b3c4d',
  );
  const yaml = parse((await inShop(['inspect', 'nightly-202611240117', '-o', 'yaml'])).stdout) as Backup;
  expect(yaml.metadata.name).toBe('nightly-202611240117');
});

test('schedule next tells the next runs as the operator will have them, in the zone of the schedule', async () => {
  const { code, stdout } = await inShop(['schedule', 'next', 'nightly', '-c', '2', '-o', 'json']);
  expect(code).toBe(0);
  const slots = JSON.parse(stdout) as { local: string; utc: string }[];
  expect(slots).toHaveLength(2);
  // On one day of the year there is no such hour.
  expect(slots.some(({ local }) => /T02:\d\d:00\+0[12]:00$/.test(local))).toBe(true);
  expect(Date.parse(slots[0]?.local ?? '')).toBe(Date.parse(slots[0]?.utc ?? ''));
});

describe('status', () => {
  test('shows all kinds of the namespace', async () => {
    const { code, stdout } = await inShop(['status']);
    expect(code).toBe(0);
    expect(stdout.match(/^[A-Z]{4,}$/gm)).toEqual(expect.arrayContaining(['STORES', 'KEYS', 'SCHEDULES', 'BACKUPS']));
    expect(stdout).toMatch(/▸ before-upgrade: Running \d+m\S* · Job before-upgrade-backup-1 is at work/);
  });

  test('--watch tells each change as it comes, until Ctrl-C', async () => {
    const name = 'watched';
    const spec = (await get(KIND.backup, 'before-upgrade'))!.spec;
    const act = async () => {
      const made = await world.put(KIND.backup, 'shop', { metadata: { name }, spec });
      const running = await world.setStatus(KIND.backup, made, runningStatus('watched-backup-1'));
      await world.setStatus(KIND.backup, running, completeStatus(shop.recipient, 0));
    };
    const { code, stdout } = await inShop(['status', '--watch'], {
      meanwhile: { after: 'Backup before-upgrade Running', act },
      interruptAfter: 'Backup watched Complete',
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /Z Backup watched Running: Job watched-backup-1 is at work$[\s\S]*Z Backup watched Complete$/m,
    );
    await kubectl(world.server.kubeconfig, ['-n', 'shop', 'delete', 'backup', name]);
  });

  test('--watch on a terminal draws on a screen of its own and gives the old one back', async () => {
    const { stdout } = await inShop(['status', '--watch'], {
      terminal: [{ after: 'Ctrl-C ends this', type: '\u0003' }],
    });
    expect(stdout).toContain('\u001b[?1049h');
    expect(stdout.lastIndexOf('\u001b[?1049l')).toBeGreaterThan(stdout.lastIndexOf('\u001b[?1049h'));
    expect(stdout.slice(stdout.lastIndexOf('\u001b[?1049l'))).toContain('BACKUPS');
  });
});

describe('key', () => {
  test('create keeps the private key in a file of its own and tells the cluster the public half only', async () => {
    const { code, stdout, stderr } = await inShop(['key', 'create', 'spare']);
    expect(code).toBe(0);
    expect(stdout).toBe('backupkey.holdfast.dev/spare created in namespace shop\n');
    expect(stdout + stderr).not.toContain('AGE-SECRET-KEY');
    const path = join(world.folder, 'spare.key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const text = await readFile(path, 'utf8');
    const key = await world.people.get(KIND.backupKey, { namespace: 'shop', name: 'spare' });
    expect(text).toContain(`# public key: ${key?.spec.recipients[0]}`);
    expect(text).toMatch(/^AGE-SECRET-KEY-1[0-9A-Z]+$/m);
    expect(await kubectl(world.server.kubeconfig, ['-n', 'shop', 'get', 'secrets', '-o', 'name'])).toBe('');
  });

  test('create never overwrites a file, and makes no key then', async () => {
    await writeFile(join(world.folder, 'kept.key'), 'the only copy');
    const { code, stderr } = await inShop(['key', 'create', 'kept']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/kept\.key is there already[\s\S]*--out FILE/);
    expect(await readFile(join(world.folder, 'kept.key'), 'utf8')).toBe('the only copy');
    expect(await world.people.get(KIND.backupKey, { namespace: 'shop', name: 'kept' })).toBeUndefined();
  });

  test('create makes no second default, and no file for a key that cannot be made', async () => {
    const second = await inShop(['key', 'create', 'second', '--default']);
    expect(second.stderr).toMatch(/BackupKey "team" is the default already[\s\S]*patch backupkey team/);
    const taken = await inShop(['key', 'create', 'team', '--out', 'taken.key']);
    expect(taken.stderr).toMatch(/There is a BackupKey "team"/);
    const refused = await inShop(['key', 'create', 'Upper']);
    expect(refused.stderr).toMatch(/metadata\.name: "Upper" does not fit/);
    await expect(stat(join(world.folder, 'second.key'))).rejects.toThrow('ENOENT');
    await expect(stat(join(world.folder, 'taken.key'))).rejects.toThrow('ENOENT');
  });

  test('create --out - prints the private key and nothing else on standard output', async () => {
    const { stdout, stderr } = await inShop(['key', 'create', 'printed', '--out', '-', '--post-quantum']);
    expect(stdout).toMatch(/^# created: .*\n# public key: age1pq1\w+\nAGE-SECRET-KEY-PQ-1\w+\n$/);
    expect(stderr).not.toContain('AGE-SECRET-KEY');
  });

  test('create --store-identity says what it gives up, and export takes the key out under a passphrase', async () => {
    const made = await inShop(['key', 'create', 'stored', '--store-identity']);
    expect(made.code).toBe(0);
    expect(made.stderr).toMatch(/whoever can read Secrets of this namespace, or etcd, can read every archive/);
    const typed = 'correct horse battery staple';
    const exported = await inShop(['key', 'export', 'stored', '--out', 'stored.age'], {
      terminal: [
        { after: 'Passphrase for the exported key:', type: `${typed}\r` },
        { after: 'The same once more:', type: `${typed}\r` },
      ],
    });
    expect(exported.code).toBe(0);
    expect(exported.stdout).not.toContain(typed);
    const path = join(world.folder, 'stored.age');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const text = await readFile(path, 'utf8');
    expect(text).toMatch(/^-----BEGIN AGE ENCRYPTED FILE-----\n/);
    expect(await opened(text, typed)).toBe(privateKeyIn(await readFile(join(world.folder, 'stored.key'), 'utf8')));
  });

  test('export refuses a short passphrase, two that differ, and a key that is not in the cluster', async () => {
    await writeFile(join(world.folder, 'short'), 'hunter2\n');
    const short = await inShop(['key', 'export', 'stored', '--out', 'x.age', '--passphrase-file', 'short']);
    expect(short).toMatchObject({ code: 1, stderr: expect.stringMatching(/less than 12 characters/) });
    const differ = await inShop(['key', 'export', 'stored', '--out', 'x.age'], {
      terminal: [
        { after: 'Passphrase', type: 'correct horse\r' },
        { after: 'once more', type: 'correct hoarse\r' },
      ],
    });
    expect(differ).toMatchObject({ code: 1, stdout: expect.stringMatching(/The two differ/) });
    const elsewhere = await inShop(['key', 'export', 'team', '--out', 'x.age']);
    expect(elsewhere).toMatchObject({ code: 1, stderr: expect.stringMatching(/was never in this cluster/) });
    await expect(stat(join(world.folder, 'x.age'))).rejects.toThrow('ENOENT');
  });

  test('create --dry-run is for Git: it prints the object, writes the file and sends nothing', async () => {
    const { code, stdout } = await inShop(['key', 'create', 'git', '--default', '--dry-run']);
    expect(code).toBe(0);
    expect(parse(stdout)).toMatchObject({ kind: 'BackupKey', metadata: { name: 'git' }, spec: { default: true } });
    expect(stdout).not.toContain('AGE-SECRET-KEY');
    expect(await readFile(join(world.folder, 'git.key'), 'utf8')).toContain('AGE-SECRET-KEY-1');
    expect(await world.people.get(KIND.backupKey, { namespace: 'shop', name: 'git' })).toBeUndefined();
  });

  test('list tells where each private key is', async () => {
    const { stdout } = await inShop(['key', 'list']);
    expect(stdout).toMatch(/^team +yes +yes +elsewhere +classic +sha256:[0-9a-f]{32} /m);
    expect(stdout).toMatch(/^stored +not looked at +Secret stored-identity /m);
    expect(stdout).toMatch(/^printed .* post-quantum /m);
  });
});

function privateKeyIn(text: string): string {
  return /^AGE-SECRET-KEY-\S+$/m.exec(text)?.[0] ?? 'none';
}

async function opened(armored: string, passphrase: string): Promise<string> {
  const { armor } = await import('age-encryption');
  const decrypter = new Decrypter();
  decrypter.addPassphrase(passphrase);
  return (await decrypter.decrypt(armor.decode(armored), 'text')).trim();
}

describe('backup', () => {
  test('--from a schedule makes its backup, and takes nothing of its labels', async () => {
    const { code, stdout, stderr } = await inShop(['backup', '--from', 'nightly']);
    expect(code).toBe(0);
    const made = await get(KIND.backup, madeBy({ code, stdout, stderr }));
    expect(made?.metadata.name).toMatch(/^nightly-\d{8}-\d{6}$/);
    expect(made?.metadata.labels).toEqual({ team: 'blue', 'holdfast.dev/schedule': 'nightly' });
    expect(made?.metadata.annotations).toEqual({ 'holdfast.dev/schedule': 'nightly' });
    expect(made?.metadata.ownerReferences).toBeUndefined();
    const schedule = await world.people.get(KIND.backupSchedule, { namespace: 'shop', name: 'nightly' });
    expect(made?.spec).toEqual(schedule?.spec.template.spec);
  });

  test('--like a backup makes another one with a name of its own', async () => {
    const ended = await inShop(['backup', 'again', '--like', 'before-upgrade']);
    expect(madeBy(ended)).toBe('again');
    const twice = await inShop(['backup', 'again', '--like', 'before-upgrade']);
    expect(twice).toMatchObject({ code: 1, stderr: expect.stringMatching(/already exists/) });
  });

  test('a name that cannot be is refused before anything is sent', async () => {
    expect(await inShop(['backup', 'Again', '--like', 'before-upgrade'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/The Backup "Again" would not be valid: metadata\.name/),
    });
  });

  test('--wait follows it to a good end', async () => {
    const before = await namesOf(KIND.backup);
    const [ended] = await Promise.all([
      inShop(['backup', '--like', 'before-upgrade', '--wait']),
      whenMade(KIND.backup, before, runningStatus('x')).then(() =>
        whenMade(KIND.backup, before, completeStatus(shop.recipient, 0)),
      ),
    ]);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(/Complete after \S+: Backup before-upgrade-\S+, 5\.0 GiB dumped, 1\.2 GiB stored/);
  });

  test('--wait ends with 1 when it fails, with cause and next step', async () => {
    const before = await namesOf(KIND.backup);
    const [ended] = await Promise.all([
      inShop(['backup', 'doomed', '--like', 'before-upgrade', '--wait']),
      whenMade(KIND.backup, before, failedStatus()),
    ]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /error: Backup doomed failed after 1h: HostUnreachable: pg\.shop\.svc:5432 did not answer/,
    );
    expect(ended.stderr).toMatch(/next: {2}Is the server up\?/);
  });

  test('--wait on a terminal shows a moving line', async () => {
    const before = await namesOf(KIND.backup);
    const complete = () => whenMade(KIND.backup, before, completeStatus(shop.recipient, 0));
    const [ended] = await Promise.all([
      inShop(['backup', 'shown', '--like', 'before-upgrade', '--wait'], {
        terminal: [],
        meanwhile: { after: 'Job x is at work', act: complete },
      }),
      whenMade(KIND.backup, before, runningStatus('x')),
    ]);
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/\r\u001b\[2KRunning \S+ · Job x is at work/);
  });

  test('--wait tells the next step of what is waited for, and what refuses the pod', async () => {
    const before = await namesOf(KIND.backup);
    const failure = { reason: 'PodNotCreated', message: 'Job x-1 gets no pod.', hint: 'kubectl describe job x-1' };
    await world.http.json({
      method: 'POST',
      path: '/api/v1/namespaces/shop/events',
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'x-1.refused', namespace: 'shop' },
        involvedObject: { kind: 'Job', name: 'x-1', namespace: 'shop' },
        reason: 'FailedCreate',
        message: 'Error creating: pods "x-1-" is forbidden: exceeded quota',
      },
    });
    const complete = () => whenMade(KIND.backup, before, { ...completeStatus(shop.recipient, 0), failure: null });
    const [ended] = await Promise.all([
      inShop(['backup', 'held', '--like', 'before-upgrade', '--wait'], {
        meanwhile: { after: 'why: ', act: complete },
      }),
      whenMade(KIND.backup, before, { phase: 'Pending', jobName: 'x-1', failure }),
    ]);
    expect(ended.stderr).toMatch(/^Pending: PodNotCreated: Job x-1 gets no pod\.\nnext: {2}kubectl describe job x-1$/m);
    expect(ended.stderr).toMatch(/^why: .*exceeded quota$/m);
    expect(ended.code).toBe(0);
  });

  test('Ctrl-C ends the waiting, not the backup', async () => {
    const ended = await inShop(['backup', 'long', '--like', 'before-upgrade', '--wait'], {
      interruptAfter: 'New: the operator',
    });
    expect(ended.code).toBe(130);
    expect(ended.stderr).toMatch(/No longer waiting; Backup "long" goes on in the cluster/);
    expect(await get(KIND.backup, 'long')).toBeDefined();
  });

  test('--dry-run prints what it would send', async () => {
    const before = await namesOf(KIND.backup);
    const { stdout } = await inShop(['backup', '--from', 'nightly', '--dry-run']);
    expect(parse(stdout)).toMatchObject({
      kind: 'Backup',
      metadata: { namespace: 'shop' },
      spec: { storeRef: { name: 'cellar' } },
    });
    expect(await namesOf(KIND.backup)).toEqual(before);
  });
});

describe('restore', () => {
  const GOOD = 'nightly-202611240117';
  const NAMED = ['--identity', 'restore-identity/identity'];

  test('shows the plan and asks for the name of the database', async () => {
    const ended = await inShop(['restore', GOOD, ...NAMED, '--scale-down', 'deploy/web', '--on-conflict', 'Replace'], {
      terminal: [{ after: '(orders): ', type: 'orders\r' }],
    });
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/into: +orders on pg\.shop\.svc:5432/);
    expect(ended.stdout).toMatch(/meanwhile at zero: Deployment web, then back to 3/);
    const made = await get(KIND.restore, madeBy(ended));
    expect(made?.metadata.name).toMatch(/^nightly-\d{8}-\d{6}$/);
    expect(made?.spec).toMatchObject({
      from: { backupRef: { name: GOOD } },
      onConflict: 'Replace',
      scaleDown: { workloads: [{ kind: 'Deployment', name: 'web' }] },
      identity: { secretRef: { name: 'restore-identity', key: 'identity' } },
    });
  });

  test('says that what is replaced is saved first, or that it is not', async () => {
    const asked = ['restore', GOOD, ...NAMED, '--on-conflict', 'Replace', '--dry-run'];
    const said = async (...more: string[]) => {
      const { stdout, stderr } = await inShop([...asked, ...more]);
      return `${stdout}${stderr}`;
    };
    expect(await said()).toMatch(/saved first: +what is live now, as a Backup/);
    const without = await said('--no-safety-backup');
    expect(without).toMatch(/saved first: +no/);
    expect(without).toMatch(/^ +safetyBackup: false$/m);
  });

  test('waits for as long as it was told', async () => {
    const { stdout } = await inShop(['restore', GOOD, ...NAMED, '--start-deadline', '4h', '--dry-run']);
    expect(stdout).toMatch(/^ +startDeadline: 4h$/m);
  });

  test.each([
    ['another name', [{ after: '(orders): ', type: 'order\r' }], /"order" is not "orders". Nothing was done/],
    ['Ctrl-C', [{ after: '(orders): ', type: '\u0003' }], /Nothing was done/],
    ['Ctrl-D', [{ after: '(orders): ', type: '\u0004' }], /Nothing was done/],
  ])('%s is no yes', async (_what, terminal, message) => {
    const before = await namesOf(KIND.restore);
    const ended = await inShop(['restore', GOOD, ...NAMED], { terminal });
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(message);
    expect(await namesOf(KIND.restore)).toEqual(before);
  });

  test('without a terminal it wants --yes', async () => {
    const before = await namesOf(KIND.restore);
    expect(await inShop(['restore', GOOD, ...NAMED], { input: 'orders\n' })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/nobody to ask[\s\S]*--yes/),
    });
    expect(await namesOf(KIND.restore)).toEqual(before);
  });

  test.each<[string, string[], RegExp]>([
    ['a backup that failed', ['nightly-202611230117', '--yes'], /failed, so there is nothing to restore/],
    ['a backup at work', ['before-upgrade', '--yes'], /is not Complete yet[\s\S]*kubectl -n shop wait/],
    ['no private key', [GOOD, '--yes'], /no private key to open the archive with[\s\S]*--identity-file FILE/],
    [
      'a workload that is not there',
      [GOOD, '--yes', ...NAMED, '--scale-down', 'sts/web'],
      /There is no StatefulSet "web"/,
    ],
    ['a bad duration', [GOOD, '--yes', ...NAMED, '--keep-previous', '1y'], /spec\.keepPrevious: "1y" does not fit/],
  ])('%s is refused before it begins', async (_what, args, message) => {
    const before = await namesOf(KIND.restore);
    const ended = await inShop(['restore', ...args]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(message);
    expect(await namesOf(KIND.restore)).toEqual(before);
  });

  test('a private key that does not open the archive is refused, and its file is not shown', async () => {
    await writeFile(join(world.folder, 'wrong.key'), `${await generateX25519Identity()}\n`);
    const ended = await inShop(['restore', GOOD, '--yes', '--identity-file', 'wrong.key']);
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/wrong\.key does not open Backup/) });
    expect(ended.stderr).not.toContain('AGE-SECRET-KEY');
  });

  test('a private key that is brought along is in the cluster for the restore only', async () => {
    await writeFile(join(world.folder, 'team.key'), `# mine\n${shop.identity}\n`);
    const before = await namesOf(KIND.restore);
    const complete = {
      phase: 'Complete',
      previousDatabase: 'orders_before_1a2b3c4d',
      conditions: [said('Complete', 'True', 'Restored', 'the database is live')],
    };
    let lent: string | undefined;
    const [ended] = await Promise.all([
      inShop(['restore', GOOD, '--yes', '--wait', '--name', 'lent', '--identity-file', 'team.key']),
      eventually(() => secretOf('lent-identity'), 'Secret').then(async (secret) => {
        lent = secret;
        await whenMade(KIND.restore, before, complete);
      }),
    ]);
    expect(lent).toBe(shop.identity);
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(/kept as "orders_before_1a2b3c4d" for 24h/);
    expect(ended.stdout + ended.stderr).not.toContain('AGE-SECRET-KEY');
    expect(await secretOf('lent-identity')).toBeUndefined();
  });

  test('one that went live before says so', async () => {
    const before = await namesOf(KIND.restore);
    const already = {
      phase: 'Complete',
      conditions: [said('Complete', 'True', 'AlreadyRestored', 'it was live before')],
    };
    const [ended] = await Promise.all([
      inShop(['restore', GOOD, '--yes', '--wait', ...NAMED, '--name', 'again']),
      whenMade(KIND.restore, before, already),
    ]);
    expect(ended.stderr).toMatch(/warning: nothing was done: this very restore was live before/);
  });

  describe('--plan', () => {
    const plan = { server: '17.6', databaseExists: true, objects: 4, bytesNeeded: 2048 };
    const fits = { phase: 'Complete', plan, conditions: [said('Complete', 'True', 'DryRun', 'a dry run')] };
    const refusal = { reason: 'Nodes', message: 'elsewhere', hint: 'move it', forceable: true, forced: false };
    const refused = {
      phase: 'Failed',
      plan: { ...plan, refusals: [refusal] },
      failure: { reason: 'Nodes', message: 'elsewhere' },
      conditions: [said('Failed', 'True', 'Nodes', 'elsewhere')],
    };

    test('asks nobody, makes a dry run, prints what it found, and leaves neither it nor the key behind', async () => {
      await writeFile(join(world.folder, 'team.key'), `# mine\n${shop.identity}\n`);
      const before = await namesOf(KIND.restore);
      const [ended, made] = await Promise.all([
        inShop(['restore', GOOD, '--plan', '--identity-file', 'team.key', '--force', 'Version']),
        whenMade(KIND.restore, before, fits),
      ]);
      expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing stands in the way') });
      expect(made?.spec).toMatchObject({ dryRun: true, force: ['Version'] });
      expect(made?.metadata.name).toMatch(/^nightly-plan-\d{8}-\d{6}$/);
      expect(await namesOf(KIND.restore)).toEqual(before);
      expect(await secretOf(`${made?.metadata.name}-identity`)).toBeUndefined();
    });

    test('with refusals ends with 1 and tells each next step; --keep keeps the Restore, -o json prints it', async () => {
      const before = await namesOf(KIND.restore);
      const [ended] = await Promise.all([
        inShop(['restore', GOOD, '--plan', '--keep', '--name', 'kept', ...NAMED]),
        whenMade(KIND.restore, before, refused),
      ]);
      expect(ended).toMatchObject({
        code: 1,
        stdout: expect.stringMatching(/refused {2}Nodes: elsewhere\n {2}next: {3}move it/),
      });
      expect(await namesOf(KIND.restore)).toContain('kept');
      const [json] = await Promise.all([
        inShop(['restore', GOOD, '--plan', '-o', 'json', ...NAMED]),
        whenMade(KIND.restore, [...before, 'kept'], refused),
      ]);
      expect(JSON.parse(json.stdout)).toMatchObject({ kind: 'Restore', status: { plan: { refusals: [refusal] } } });
    });

    test.each([
      [['--plan', '--dry-run'], /exclude each other[\s\S]*only prints what would be sent/],
      [['--keep'], /--keep and -o belong to --plan/],
      [['--plan', '--force', 'RightMissing', ...NAMED], /spec\.force/],
    ])('%j is refused before it begins', async (args, message) => {
      const before = await namesOf(KIND.restore);
      const ended = await inShop(['restore', GOOD, ...args]);
      expect(ended.code).toBeGreaterThan(0);
      expect(ended.stderr).toMatch(message);
      expect(await namesOf(KIND.restore)).toEqual(before);
    });
  });

  test('--latest names the backup that it shows, and says of when it is', async () => {
    // Others of the schedule were made by the tests above, just now.
    const before = new Date(Date.now() - 3_600_000).toISOString();
    const { stdout, stderr } = await inShop([
      'restore',
      '--latest',
      'nightly',
      '--before',
      before,
      ...NAMED,
      '--dry-run',
    ]);
    expect(stderr).toMatch(new RegExp(`backup: +${GOOD}, of .* ago \\(`));
    expect(parse(stdout)).toMatchObject({ kind: 'Restore', spec: { from: { backupRef: { name: GOOD } } } });
    const none = await inShop(['restore', '--latest', 'nightly', '--before', '2020-01-01T00:00:00Z', '--yes']);
    expect(none).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no Complete backup of 2020-01-01T00:00:00Z or before/),
    });
  });

  test('--from-archive needs no backup, but a server and a Secret', async () => {
    const from = ['restore', '--from-archive', 'cellar/prod/v1/lodz/shop/nightly/x/', ...NAMED, '--dry-run'];
    const bare = await inShop(from);
    expect(bare).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/from\.archive needs target\.postgresql\.host/),
    });
    const { stdout, stderr } = await inShop([...from, '--target-host', 'pg.new.svc', '--target-secret', 'new']);
    expect(stderr).toMatch(/into: +what is in the archive, under its own name, on pg\.new\.svc:5432/);
    expect(parse(stdout)).toMatchObject({
      spec: {
        from: { archive: { storeRef: { name: 'cellar' }, path: 'prod/v1/lodz/shop/nightly/x/' } },
        target: { postgresql: { host: 'pg.new.svc', credentials: { secretRef: { name: 'new' } } } },
      },
    });
  });

  test('--dry-run shows the plan and prints the object', async () => {
    const { stdout, stderr } = await inShop(['restore', GOOD, '--target-database', 'copy', '--dry-run']);
    expect(stderr).toMatch(/into: +copy on pg\.shop\.svc:5432/);
    expect(parse(stdout)).toMatchObject({ kind: 'Restore', spec: { target: { postgresql: { database: 'copy' } } } });
  });
});

describe('undo', () => {
  const KEPT = {
    phase: 'Complete',
    startTime: '2026-11-24T11:59:00Z',
    completionTime: '2026-11-24T12:00:00Z',
    outcome: { result: 'Restored', time: '2026-11-24T12:00:00Z' },
    target: {
      postgresql: {
        ...{ host: 'pg.shop.svc', port: 5432, database: 'orders', maintenanceDatabase: 'postgres' },
        credentials: { secretRef: { name: 'orders-pg', usernameKey: 'username', passwordKey: 'password' } },
      },
    },
    previousDatabase: 'orders_before_1a2b3c4d',
    conditions: [said('Complete', 'True', 'Restored', 'the restored database is live')],
  };

  /** A restore that is over. */
  async function restored(name: string, status: object = KEPT): Promise<void> {
    const before = await namesOf(KIND.restore);
    const args = ['--yes', '--on-conflict', 'Replace', '--scale-down', 'deploy/web', '--keep-previous', '48h'];
    await inShop([
      'restore',
      'nightly-202611240117',
      '--identity',
      'restore-identity/identity',
      '--name',
      name,
      ...args,
    ]);
    await whenMade(KIND.restore, before, status);
  }

  test('says what happens, asks for the name of the database, and makes a restore that takes the same app to zero', async () => {
    await restored('upgrade-20261124-110000');
    const ended = await inShop(['undo', 'upgrade-20261124-110000'], {
      terminal: [{ after: '(orders): ', type: 'orders\r' }],
    });
    expect(ended.code).toBe(0);
    expect(ended.stdout).toMatch(/goes live again: +"orders_before_1a2b3c4d"/);
    expect(ended.stdout).toMatch(/on: +orders on pg\.shop\.svc:5432/);
    expect(ended.stdout).toMatch(/goes away: +what is live now: it is kept 48h/);
    expect(ended.stdout).toMatch(/meanwhile at zero: +Deployment web, then back to 3/);
    const made = await get(KIND.restore, madeBy(ended));
    expect(made?.metadata.name).toMatch(/^undo-upgrade-\d{8}-\d{6}$/);
    expect(made?.spec).toMatchObject({
      from: { previousOf: { restoreRef: { name: 'upgrade-20261124-110000' } } },
      scaleDown: { workloads: [{ kind: 'Deployment', name: 'web' }] },
      keepPrevious: '48h',
    });
  });

  test('another name is no yes, and without a terminal it wants --yes', async () => {
    await restored('unsure');
    const before = await namesOf(KIND.restore);
    const typed = await inShop(['undo', 'unsure'], { terminal: [{ after: '(orders): ', type: 'order\r' }] });
    expect(typed).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/"order" is not "orders". Nothing was done/),
    });
    const piped = await inShop(['undo', 'unsure'], { input: 'orders\n' });
    expect(piped).toMatchObject({ code: 1, stderr: expect.stringMatching(/nobody to ask[\s\S]*--yes/) });
    expect(await namesOf(KIND.restore)).toEqual(before);
  });

  test('of a restore that keeps nothing is refused before anything is made, with the way on', async () => {
    await restored('bare', { ...KEPT, previousDatabase: null });
    const before = await namesOf(KIND.restore);
    expect(await inShop(['undo', 'bare', '--yes'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/keeps no database[\s\S]*kubectl holdfast -n shop list/),
    });
    expect(await inShop(['undo', 'bear', '--yes'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/There is no Restore "bear"[\s\S]*Did you mean "bare"/),
    });
    expect(await namesOf(KIND.restore)).toEqual(before);
  });

  test('is followed to its end, and with -o json standard output is the object alone, as it is then', async () => {
    await restored('followed');
    const before = await namesOf(KIND.restore);
    const [done] = await Promise.all([
      inShop(['undo', 'followed', '--yes', '--wait', '-o', 'json']),
      whenMade(KIND.restore, before, { ...KEPT, previousDatabase: 'orders_before_99999999' }),
    ]);
    expect(done.code).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ kind: 'Restore', status: { phase: 'Complete' } });
    expect(done.stderr).toMatch(/kept as "orders_before_99999999" for 48h/);
  });

  test('--dry-run shows what would happen and prints the object', async () => {
    await restored('tried');
    const { stdout, stderr } = await inShop(['undo', 'tried', '--dry-run']);
    expect(stderr).toMatch(/undoes: +Restore tried/);
    expect(parse(stdout)).toMatchObject({
      kind: 'Restore',
      spec: { from: { previousOf: { restoreRef: { name: 'tried' } } } },
    });
  });
});

/** The private key in a Secret of the shop; undefined where there is none. */
async function secretOf(name: string): Promise<string | undefined> {
  const text = await kubectl(world.server.kubeconfig, [
    '-n',
    'shop',
    'get',
    'secret',
    name,
    '--ignore-not-found',
    '-o',
    'jsonpath={.data.identity}',
  ]);
  return text === '' ? undefined : Buffer.from(text, 'base64').toString().trim();
}

describe('validate', () => {
  test('tells file, line, field and what is wrong, for every document, and asks nobody', async () => {
    const path = join(world.folder, 'bad.yaml');
    await writeFile(
      path,
      'apiVersion: holdfast.dev/v1alpha1\nkind: BackupKey\nmetadata:\n  name: a\nspec:\n  recipient: []\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n',
    );
    const { code, stdout, stderr } = await plugin(['validate', '-f', path], { env: { KUBECONFIG: '/nope' } });
    expect(code).toBe(1);
    expect(stdout.split('\n')).toEqual([
      `${path}:5: spec.recipients: is required`,
      `${path}:6: spec.recipient: unknown field; did you mean "recipients"?`,
      '',
    ]);
    expect(stderr).toContain('v1 Secret/s');
  });

  test('reads standard input, and is content with what is right', async () => {
    const yaml = (await inShop(['list', '-o', 'yaml'])).stdout;
    const { code, stderr } = await plugin(['validate', '-f', '-'], { input: yaml });
    expect(stderr).toMatch(/objects checked, nothing wrong/);
    expect(code).toBe(0);
  });

  test('a file that is not there, and one with nothing of ours', async () => {
    expect(await plugin(['validate', '-f', '/nope.yaml'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/\/nope\.yaml cannot be read/),
    });
    expect(await plugin(['validate', '-f', '-'], { input: 'apiVersion: v1\nkind: Secret\n' })).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/no object of holdfast\.dev/),
    });
  });
});

describe('drill', () => {
  const GOOD = 'nightly-202611240117';
  const drilled = {
    phase: 'Complete',
    outcome: { result: 'Drilled', time: '2026-11-24T06:03:00Z' },
    checks: [{ name: 'orders', passed: true }],
    drill: {
      ...{ server: '17.6', duration: '2m10s', databases: 1, bytes: 9_000_000, tables: 2, rows: 530 },
      largest: [{ table: 'public.orders', rows: 500 }],
    },
    conditions: [said('Complete', 'True', 'Drilled', 'restored into a server of its own')],
  };

  test('restores a backup into a server that is thrown away, follows it and tells what was in it', async () => {
    const before = await namesOf(KIND.restore);
    const args = ['drill', GOOD, '--identity', 'restore-identity', '--check', 'orders=SELECT count(*) > 0 FROM orders'];
    const [ended, made] = await Promise.all([
      inShop([...args, '--storage', '20Gi']),
      whenMade<Restore>(KIND.restore, before, drilled),
    ]);
    expect(ended.code).toBe(0);
    expect(made.spec).toMatchObject({
      from: { backupRef: { name: GOOD } },
      target: { ephemeral: { storage: { size: '20Gi' } } },
      checks: [{ name: 'orders', sql: 'SELECT count(*) > 0 FROM orders', expect: 'true' }],
      identity: { secretRef: { name: 'restore-identity', key: 'identity' } },
    });
    expect(ended.stdout).toMatch(/530 rows in 2 tables of 1 database[\s\S]*public\.orders +500[\s\S]*orders +yes/);
  });

  test('one that fails ends with 1, and tells what was found', async () => {
    const before = await namesOf(KIND.restore);
    const checks = [{ name: 'orders', passed: false, found: 'false' }];
    const failed = { ...drilled, phase: 'Failed', checks, failure: { reason: 'CheckFailed', message: 'not so' } };
    const conditions = [said('Failed', 'True', 'CheckFailed', 'not so')];
    const [ended] = await Promise.all([
      inShop(['drill', GOOD, '--name', 'strict']),
      whenMade(KIND.restore, before, { ...failed, conditions }),
    ]);
    expect(ended.code).toBe(1);
    expect(ended.stdout).toMatch(/orders +no +false/);
  });

  test('of a schedule takes its newest Complete backup', async () => {
    const ended = await inShop(['drill', '--schedule', 'nightly', '--no-wait', '--dry-run']);
    expect(ended.code).toBe(0);
    expect(parse(ended.stdout)).toMatchObject({
      spec: { from: { backupRef: { name: GOOD } }, target: { ephemeral: {} } },
    });
  });

  test.each<[string, string[], RegExp]>([
    ['nothing to restore', [], /either BACKUP, or --schedule NAME/],
    ['two things to restore', [GOOD, '--schedule', 'nightly'], /either BACKUP, or --schedule NAME/],
    ['a check without a name', [GOOD, '--check', 'SELECT 1'], /Write NAME=QUERY/],
  ])('%s is refused before it begins', async (_what, args, message) => {
    const before = await namesOf(KIND.restore);
    const ended = await inShop(['drill', ...args]);
    expect([ended.code === 0, message.test(ended.stderr)]).toEqual([false, true]);
    expect(await namesOf(KIND.restore)).toEqual(before);
  });
});

describe('completion', () => {
  test('of a script for bash, as bash runs it', async () => {
    const { stdout: script } = await plugin(['completion', 'bash']);
    const bin = join(import.meta.dirname, '..', '..', 'bin', 'kubectl-holdfast.mjs');
    const line = `kubectl-holdfast() { "${process.execPath}" "${bin}" "$@"; }; ${script}
      COMP_WORDS=(kubectl-holdfast -n shop inspect nightly-20261124); COMP_CWORD=4; _kubectl_holdfast; echo "\${COMPREPLY[*]}"`;
    const found = await runProgram('bash', ['-c', line], {
      env: { PATH: process.env['PATH'] ?? '', KUBECONFIG: world.server.kubeconfig },
    });
    expect(found.split(/\s+/)).toContain('nightly-202611240117');
    expect(found).not.toContain('before-upgrade');
  });

  test('as kubectl asks for it, and without an answer when there is trouble', async () => {
    const { stdout } = await inShop(['__complete', '--', '-n', 'shop', 'backup', '--from', '']);
    expect(stdout).toBe('nightly\n:4\n');
    expect((await plugin(['__complete', '--', 'inspect', ''])).stdout).toBe(':4\n');
  });

  test('of an undo knows the restores that keep what they replaced, and no others', async () => {
    const restores = await world.people.list(KIND.restore, { namespace: 'shop' });
    const keeping = restores.filter(({ status }) => status?.previousDatabase !== undefined);
    expect(keeping.map(({ metadata }) => metadata.name)).toContain('unsure');
    expect(restores.map(({ metadata }) => metadata.name)).toContain('bare');
    const { stdout } = await inShop(['__complete', '--', '-n', 'shop', 'undo', '']);
    const offered = stdout.split('\n').filter((line) => line !== '' && line !== ':4');
    expect(offered.sort()).toEqual(keeping.map(({ metadata }) => metadata.name).sort());
  });
});
