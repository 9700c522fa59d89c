import { type AddressInfo, createServer, connect as dial } from 'node:net';
import type { PostgresWorld } from './postgres-world.ts';

/** Forwards to the server; the connection that says `word` is cut for the client when the server answers. */
export async function proxyThatEatsTheAnswerTo(word: string, { server: real }: PostgresWorld) {
  let eaten = 0;
  const server = createServer((client) => {
    const upstream = dial(real.port, real.host);
    let deaf = false;
    upstream.on('data', (data) => {
      if (deaf) client.destroy();
      else client.write(data);
    });
    client.on('data', (data) => {
      deaf ||= data.includes(`${word}\0`);
      upstream.write(data);
      if (deaf) eaten += 1;
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    eaten: () => eaten,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
