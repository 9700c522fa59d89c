/** The server of a drill, made and started by the very commands of the pod. */
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import pg from 'pg';
import { withDrillServer } from '../../src/manifests/drill-pod.ts';
import { runnerPodSpec } from '../../src/manifests/runner-pod.ts';
import { run } from '../cluster/command.ts';
import { freePorts } from '../cluster/ports.ts';
import { answers } from '../cluster/postgres.ts';
import { localPostgresOfMajor, MAJORS } from '../cluster/postgres-majors.ts';
import { tempDir } from '../cluster/temp-dir.ts';
import { startTied } from '../cluster/tied-process.ts';
import { waitFor } from '../cluster/wait.ts';

jest.setTimeout(120_000);

const SETTINGS = { image: 'runner', imagePullPolicy: 'IfNotPresent' } as const;
const POD = withDrillServer(runnerPodSpec({ settings: SETTINGS, secrets: {} }), { image: 'x', bytes: 0 }, SETTINGS);

/** With the paths and the port of this machine. */
function commandOf(container: string, place: { readonly bin: string; readonly folder: string; readonly port: number }) {
  const words = POD.initContainers?.find(({ name }) => name === container)?.command ?? [];
  const here = words.map((word) =>
    word
      .replace('/holdfast/server', place.folder)
      .replace('/holdfast/run/drill/password', join(place.folder, 'password'))
      .replace('port=5432', `port=${place.port}`),
  );
  return [join(place.bin, here[0] ?? ''), ...here.slice(1)] as [string, ...string[]];
}

/** A setting that one of the versions does not know is most likely one of these two's. */
const ENDS = [MAJORS[0], MAJORS.at(-1)] as const;

test.each(ENDS)(
  'PostgreSQL %i comes up on the loopback address, and lets in who knows the password',
  async (major = 13) => {
    // Of it only the programs are wanted.
    const { bin, stop } = await localPostgresOfMajor(major);
    const folder = await tempDir('drill-server');
    try {
      const [port] = (await freePorts(1)) as [number];
      const place = { bin, folder, port };
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, 'password'), 'secret', { mode: 0o600 });
      const [uid, gid] = [Number(await run('id', ['-u', 'postgres'])), Number(await run('id', ['-g', 'postgres']))];
      for (const path of [folder, join(folder, 'password')]) await chown(path, uid, gid);
      const asPostgres = ['--reuid', 'postgres', '--regid', 'postgres', '--init-groups', '--'];
      await run('setpriv', [...asPostgres, ...commandOf('initdb', place)], { cwd: '/' });

      const [program, ...args] = commandOf('server', place);
      const log = join(folder, 'log');
      const server = startTied(program, args, { log, cwd: folder, user: 'postgres', deathSignal: 'QUIT' });
      try {
        const config = { host: '127.0.0.1', port, user: 'postgres', database: 'template1', password: 'secret' };
        await waitFor(() => answers(config), {
          timeoutMs: 30_000,
          hopeless: () => !server.running(),
          otherwise: () => `the server did not come up: see ${log}`,
        });
        expect(await answers({ ...config, password: 'guessed' })).toBe(false);
        const client = new pg.Client(config);
        await client.connect();
        const { rows } = await client.query(
          `SELECT current_setting('listen_addresses') AS at, current_setting('unix_socket_directories') AS sockets,
           current_setting('password_encryption') AS passwords, datcollate AS collate
         FROM pg_database WHERE datname = 'template1'`,
        );
        await client.end();
        expect(rows).toEqual([{ at: '127.0.0.1', sockets: '', passwords: 'scram-sha-256', collate: 'C' }]);
      } finally {
        await server.stop('SIGQUIT');
      }
    } finally {
      await stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
);
