/** A TCP proxy that breaks connections, and an HTTP proxy that changes answers: what networks and gateways do. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';

export interface Proxy extends AsyncDisposable {
  readonly url: string;
}

export interface Breaks {
  /** Asked for each connection, in order: cut it after so many bytes in that direction; undefined: never. */
  readonly afterSent?: (connection: number) => number | undefined;
  readonly afterReceived?: (connection: number) => number | undefined;
}

/** Cuts connections between a client and `target` after given numbers of bytes. */
export async function breakingProxy(target: string, breaks: Breaks): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<net.Socket>();
  let connections = 0;
  const server = net.createServer((client) => {
    const number = connections++;
    const upstream = net.connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    forward(client, upstream, breaks.afterSent?.(number));
    forward(upstream, client, breaks.afterReceived?.(number));
  });
  return listen(server, open);
}

function forward(from: net.Socket, to: net.Socket, limit: number | undefined): void {
  let passed = 0;
  from.on('data', (chunk: Buffer) => {
    const rest = limit === undefined ? chunk.length : limit - passed;
    passed += chunk.length;
    if (rest >= chunk.length) {
      if (!to.write(chunk)) {
        from.pause();
        to.once('drain', () => from.resume());
      }
      return;
    }
    to.write(chunk.subarray(0, Math.max(0, rest)), () => {
      from.resetAndDestroy();
      to.resetAndDestroy();
    });
  });
}

/** What a request is, for {@link answeringProxy}. */
export interface Seen {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  /** How often this method and path came before, from 0. */
  readonly times: number;
}

export interface Answer {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

export interface Answers {
  /** An answer instead of the server's; the request does not reach it. */
  readonly before?: (seen: Seen) => Answer | undefined;
  /** The server did its work, the client gets this instead; `cut` breaks the connection. */
  readonly after?: (seen: Seen) => Answer | 'cut' | undefined;
  /** Changes the bytes of an answer's body. */
  readonly change?: (seen: Seen, body: Buffer) => Buffer;
}

/** Passes requests on, Host header included, so that signatures stay right, and answers some of them itself. */
export async function answeringProxy(target: string, answers: Answers): Promise<Proxy & { readonly seen: Seen[] }> {
  const { hostname, port } = new URL(target);
  const seen: Seen[] = [];
  const open = new Set<net.Socket>();
  const server = http.createServer((request, response) => {
    const method = request.method ?? '';
    const path = request.url ?? '';
    const times = seen.filter((other) => other.method === method && other.path === path).length;
    const now = { method, path, times };
    seen.push(now);
    const instead = answers.before?.(now);
    if (instead !== undefined) {
      request.resume().on('end', () => answer(response, instead));
      return;
    }
    const upstream = http.request(
      { hostname, port, method, path, headers: request.headers, agent: false },
      (real) => void relay(real, response, now, answers),
    );
    upstream.on('error', () => response.destroy());
    request.pipe(upstream);
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  return { ...(await listen(server, open)), seen };
}

async function relay(
  real: http.IncomingMessage,
  response: http.ServerResponse,
  seen: Seen,
  answers: Answers,
): Promise<void> {
  const after = answers.after?.(seen);
  if (after === 'cut') {
    real.resume().on('end', () => response.destroy());
    return;
  }
  if (after !== undefined) {
    real.resume().on('end', () => answer(response, after));
    return;
  }
  response.writeHead(real.statusCode ?? 500, real.headers);
  if (answers.change === undefined) {
    real.pipe(response);
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of real) chunks.push(chunk as Buffer);
  response.end(answers.change(seen, Buffer.concat(chunks)));
}

function answer(response: http.ServerResponse, { status, body = '', headers = {} }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/xml', ...headers }).end(body);
}

/** The body by which S3 tells an error. */
export function s3Error(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>said the test</Message></Error>`;
}

async function listen(server: net.Server, open: Set<net.Socket>): Promise<Proxy> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
