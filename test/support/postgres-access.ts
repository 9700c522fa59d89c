/** How a test's server lets clients in: its certificate and its pg_hba.conf. */
import { chmod, chown, copyFile, readFile, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { waitFor } from '../cluster/wait.ts';
import type { PostgresWorld } from './postgres-world.ts';

/** The server reads its files again. A new session has what the server had when it was let in. */
async function reload(world: PostgresWorld): Promise<void> {
  const [{ loaded } = {}] = await world.sql('postgres', 'SELECT pg_conf_load_time()::text AS loaded');
  await world.sql('postgres', 'SELECT pg_reload_conf()');
  await waitFor(
    async () => {
      const [row] = await world.sql('postgres', `SELECT pg_conf_load_time() > '${loaded}' AS again`);
      return row?.['again'] === true;
    },
    { timeoutMs: 20_000, everyMs: 20, otherwise: () => 'the server does not read its files again' },
  );
}

async function dataFolder(world: PostgresWorld): Promise<string> {
  return String((await world.sql('postgres', 'SHOW data_directory'))[0]?.['data_directory']);
}

/** Copies files to where the server, and nobody else, reads them. */
async function give(world: PostgresWorld, files: Readonly<Record<string, string>>): Promise<void> {
  const data = await dataFolder(world);
  const { uid, gid } = await stat(data);
  for (const [name, source] of Object.entries(files)) {
    await copyFile(source, join(data, name));
    await chmod(join(data, name), 0o600);
    await chown(join(data, name), uid, gid);
  }
}

/** From now on the server speaks TLS with FOLDER/FILE.crt, and knows clients by `authority`. */
export async function serveTls(world: PostgresWorld, folder: string, file: string, authority?: string): Promise<void> {
  await give(world, {
    'server.crt': join(folder, `${file}.crt`),
    'server.key': join(folder, `${file}.key`),
    ...(authority === undefined ? {} : { 'clients.crt': authority }),
  });
  const clients = authority === undefined ? 'RESET ssl_ca_file' : "SET ssl_ca_file = 'clients.crt'";
  await world.sql('postgres', `ALTER SYSTEM ${clients}`, 'ALTER SYSTEM SET ssl = on');
  await reload(world);
}

export async function serveNoTls(world: PostgresWorld): Promise<void> {
  await world.sql('postgres', 'ALTER SYSTEM SET ssl = off');
  await reload(world);
}

/** With these lines before all others of pg_hba.conf. */
export async function withAccessRules(world: PostgresWorld, lines: string, act: () => Promise<void>): Promise<void> {
  const path = join(await dataFolder(world), 'pg_hba.conf');
  const original = await readFile(path, 'utf8');
  await writeFile(path, `${lines}\n${original}`);
  await reload(world);
  try {
    await act();
  } finally {
    await writeFile(path, original);
    await reload(world);
  }
}

/** A port that speaks TLS with FOLDER/right.crt and passes what it hears on to the server, over TLS as well. */
export async function passTlsOn(world: PostgresWorld, folder: string): Promise<{ port: number; stop(): void }> {
  const cert = await readFile(join(folder, 'right.crt'));
  const key = await readFile(join(folder, 'right.key'));
  const server = createServer(async (client) => {
    client.on('error', () => {});
    await aPiece(client);
    client.write('S');
    const heard = new TLSSocket(client, { isServer: true, cert, key });
    const upstream = connect(real, world.server.host);
    upstream.on('error', () => {});
    upstream.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]));
    await aPiece(upstream);
    const spoken = connectTls({ socket: upstream, rejectUnauthorized: false });
    for (const [from, to] of [
      [heard, spoken],
      [spoken, heard],
    ] as const) {
      from.on('error', () => {});
      from.on('close', () => to.destroy());
      from.pipe(to);
    }
  });
  const real = world.server.port;
  await new Promise<void>((resolve) => server.listen(0, world.server.host, resolve));
  return { port: (server.address() as { port: number }).port, stop: () => server.close() };
}

const aPiece = (socket: Socket) => new Promise<Buffer>((resolve) => socket.once('data', resolve));
