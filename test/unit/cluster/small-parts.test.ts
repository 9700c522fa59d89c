import { describe, expect, test } from '@jest/globals';
import { CommandFailed, failureMessage, run } from '../../cluster/command.ts';
import { olderImages } from '../../cluster/containerd.ts';
import { notInstalled } from '../../cluster/debian.ts';
import { mountPointsBelow } from '../../cluster/mounts.ts';
import { settingsText } from '../../cluster/postgres.ts';
import { ownerOf, startTimeIn } from '../../cluster/temp-dir.ts';
import { setprivFlags } from '../../cluster/tied-process.ts';
import { waitFor } from '../../cluster/wait.ts';

describe('a Debian package', () => {
  const answer = 'installed runc\nconfig-files buildah\nnot-installed jq\ninstalled containerd\n';

  test.each([
    ['that is installed is not missing', ['runc', 'containerd'], []],
    ['that was removed and left its configuration is missing', ['buildah'], ['buildah']],
    ['that dpkg has heard of is missing', ['jq'], ['jq']],
    ['that dpkg does not know is missing', ['runc', 'nftables'], ['nftables']],
  ])('%s', (_, packages, missing) => {
    expect(notInstalled(packages, answer)).toEqual(missing);
  });
});

describe('mounts below a folder', () => {
  const mountinfo = [
    '22 1 254:0 / / rw - ext4 /dev/vda rw',
    '30 22 0:1 / /cache/kc1 rw - tmpfs tmpfs rw',
    '31 22 0:2 / /cache/kc1/a rw - tmpfs tmpfs rw',
    '32 31 0:3 / /cache/kc1/a/b rw - tmpfs tmpfs rw',
    '33 22 0:4 / /cache/kc12/a rw - tmpfs tmpfs rw',
    '34 22 0:5 / /cache/kc1/with\\040space rw - tmpfs tmpfs rw',
  ].join('\n');

  test('are listed the deepest first, and no others', () => {
    expect(mountPointsBelow('/cache/kc1', mountinfo)).toEqual([
      '/cache/kc1/with space',
      '/cache/kc1/a/b',
      '/cache/kc1/a',
    ]);
  });
});

describe('a temporary folder', () => {
  test.each([
    ['holdfast-api-server-1234-5678-aBc123', { pid: 1234, started: '5678' }],
    ['holdfast-demo-s3-x', undefined],
    ['other-1234-5678-aBc123', undefined],
  ])('%s tells its owner', (folder, owner) => {
    expect(ownerOf(folder)).toEqual(owner);
  });

  test('knows when a process started, whatever its name', () => {
    const fields = Array.from({ length: 30 }, (_, index) => String(index + 3));
    expect(startTimeIn(`7 (odd ) name) ${fields.join(' ')}`)).toBe('22');
  });
});

test('an image takes the place of those with the same name, not of those whose name begins alike', () => {
  const all = ['localhost/a:1', 'localhost/a:2', 'localhost/ab:1', 'localhost/a-b:1'];
  expect(olderImages('localhost/a:2', all)).toEqual(['localhost/a:1']);
});

test('settings of PostgreSQL are quoted', () => {
  expect(settingsText({ port: '5432', application_name: "it's" })).toBe("port = '5432'\napplication_name = 'it''s'\n");
});

describe('a server tied to us', () => {
  test.each([
    ['is killed with us', {}, ['--pdeathsig', 'KILL']],
    ['may end more gently', { deathSignal: 'QUIT' as const }, ['--pdeathsig', 'QUIT']],
    [
      // Changing the user clears what was set before, so setpriv gets both and sees to the order.
      'runs as another user',
      { user: 'postgres' },
      ['--reuid', 'postgres', '--regid', 'postgres', '--init-groups', '--pdeathsig', 'KILL'],
    ],
  ])('%s', (_, options, flags) => {
    expect(setprivFlags(options)).toEqual(flags);
  });
});

describe('a command that fails', () => {
  test('says what it was, how it ended, the end of what it said, and where the rest is', () => {
    const output = Array.from({ length: 50 }, (_, index) => `line ${index}`).join('\n');
    const message = failureMessage('go', ['build', '-o', 'x', 'y', 'z'], 2, output, '/cache/logs/go.log');
    expect(message).toMatch(/^go build -o x y … ended with 2:\nline 38\n/);
    expect(message).toMatch(/line 49\nNext: read \/cache\/logs\/go\.log$/);
  });

  test('rejects with what it said', async () => {
    await expect(run('sh', ['-c', 'echo why >&2; exit 3'])).rejects.toThrow('ended with 3:\nwhy');
    await expect(run('no-such-program', [])).rejects.toBeInstanceOf(CommandFailed);
  });

  test('is killed by a signal, and says so', async () => {
    await expect(run('sh', ['-c', 'kill -9 $$'])).rejects.toThrow('ended with SIGKILL');
  });
});

describe('waiting', () => {
  const patience = { timeoutMs: 50, everyMs: 1, otherwise: () => 'it never came\nNext: look' };

  test('ends as soon as it is there', async () => {
    let asked = 0;
    await waitFor(async () => ++asked === 3, { ...patience, timeoutMs: 5_000 });
    expect(asked).toBe(3);
  });

  test('takes an error for "not yet" and keeps it as the cause', async () => {
    const cause = new Error('connection refused');
    await expect(waitFor(() => Promise.reject(cause), patience)).rejects.toMatchObject({
      message: 'it never came\nNext: look',
      cause,
    });
  });

  test('stops early when there is no hope', async () => {
    const hopeless = { ...patience, timeoutMs: 60_000, hopeless: () => true };
    await expect(waitFor(async () => false, hopeless)).rejects.toThrow('it never came');
  });
});
