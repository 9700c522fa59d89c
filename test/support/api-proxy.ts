/**
 * Stands between a client and the API server, keeps a list of what was asked, and breaks what a test tells it to.
 * Plain HTTP on the client's side (the kubeconfig that it writes says so), TLS with the kubeconfig's identity on the other.
 */
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request as tlsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { KubeConfig } from '@kubernetes/client-node';
import type { Credentials } from '../../src/kube/credentials.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** When it came, by the test's monotonic clock. */
  readonly at: number;
  /** 0 while there is no answer. */
  status: number;
  /** For a watch: the lines that were passed on, and whether the client is still there. */
  lines: number;
  open: boolean;
}

/** What happens to one line of a watch: passed on, changed, left out, cut in the middle, or the last thing ever heard. */
export type LineFault = 'drop' | 'cut' | 'silence' | { readonly instead: string } | undefined;

export type Fault =
  /** The connection is closed before the API server hears of it. */
  | 'refuse'
  /** The API server carries it out; the client hears nothing but a reset. */
  | 'lose-answer'
  /** The API server carries it out; the client waits for ever. */
  | 'never-answer'
  /** The API server is not asked; the client waits for ever. */
  | 'hang'
  /** Half the answer, then a reset. */
  | 'cut'
  /** 200 and something that is no JSON. */
  | 'garbage'
  | { readonly status: number; readonly reason?: string; readonly retryAfter?: number }
  | { readonly line: (line: string, index: number) => LineFault };

export interface ApiProxy {
  readonly url: string;
  readonly credentials: Credentials;
  /** Everything asked so far. */
  readonly asked: Asked[];
  /** Decides on each request; undefined lets it through. Default: everything passes. */
  fault: (asked: Asked) => Fault | undefined;
  /** Cuts every connection that is open now. */
  cutAll(): void;
  /** A kubeconfig that leads through this proxy. */
  writeKubeconfig(path: string): Promise<void>;
  stop(): Promise<void>;
}

export const isWatch = ({ query }: Asked) => query.get('watch') === 'true';
export const isList = ({ method, path, query }: Asked) =>
  method === 'GET' && query.has('limit') && !path.includes('/scale');
export const isWrite = ({ method }: Asked) => method !== 'GET';

export async function startApiProxy(kubeconfig: string): Promise<ApiProxy> {
  const upstream = await upstreamOf(kubeconfig);
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://proxy');
    const entry: Asked = {
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      at: performance.now(),
      status: 0,
      lines: 0,
      open: true,
    };
    asked.push(entry);
    response.on('close', () => {
      entry.open = false;
    });
    answer(upstream, entry, proxy.fault(entry), request, response);
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const proxy: ApiProxy = {
    url,
    credentials: { url: new URL(url), access: async () => ({ headers: {}, tls: {} }) },
    asked,
    fault: () => undefined,
    cutAll: () => server.closeAllConnections(),
    writeKubeconfig: (path) => writeFile(path, kubeconfigFor(url)),
    stop() {
      upstream.agent.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
  return proxy;
}

interface Upstream {
  readonly url: URL;
  readonly agent: Agent;
}

async function upstreamOf(kubeconfig: string): Promise<Upstream> {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const options: import('node:https').RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key } = options;
  return {
    url: new URL(config.getCurrentCluster()?.server ?? ''),
    agent: new Agent({ keepAlive: true, ca, cert, key } as import('node:https').AgentOptions),
  };
}

function answer(
  upstream: Upstream,
  entry: Asked,
  fault: Fault | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (fault === 'refuse') return void request.socket.destroy();
  if (fault === 'hang') return void request.resume();
  if (fault === 'garbage') return void say(entry, response, 200, '<html>it works</html>', {});
  if (typeof fault === 'object' && 'status' in fault) return void refuse(entry, response, fault);
  const forward = tlsRequest(
    {
      agent: upstream.agent,
      host: upstream.url.hostname,
      port: upstream.url.port,
      method: request.method,
      path: request.url,
      headers: { ...request.headers, host: upstream.url.host },
    },
    (answered) => pass(entry, fault, answered, request, response),
  );
  forward.on('error', () => request.socket.destroy());
  response.on('close', () => forward.destroy());
  request.pipe(forward);
}

function refuse(
  entry: Asked,
  response: ServerResponse,
  { status, reason, retryAfter }: { status: number; reason?: string; retryAfter?: number },
): void {
  const body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason, message: 'by the proxy' };
  const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
  say(entry, response, status, JSON.stringify(body), headers);
}

function say(entry: Asked, response: ServerResponse, status: number, text: string, headers: object): void {
  entry.status = status;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(text);
}

function pass(
  entry: Asked,
  fault: Fault | undefined,
  answered: IncomingMessage,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  answered.on('error', () => request.socket.destroy());
  if (fault === 'lose-answer') {
    answered.resume();
    answered.on('end', () => request.socket.destroy());
    return;
  }
  if (fault === 'never-answer') return void answered.resume();
  entry.status = answered.statusCode ?? 0;
  const { 'content-length': _, 'transfer-encoding': __, ...headers } = answered.headers;
  response.writeHead(entry.status, headers);
  response.flushHeaders();
  if (isWatch(entry)) {
    watchLines(entry, typeof fault === 'object' ? fault : undefined, answered, request, response);
    return;
  }
  if (fault !== 'cut') return void answered.pipe(response);
  answered.once('data', (chunk: Buffer) => {
    answered.destroy();
    response.write(chunk.subarray(0, Math.max(1, chunk.length / 2)), () => request.socket.destroy());
  });
}

function watchLines(
  entry: Asked,
  fault: Fault | undefined,
  answered: IncomingMessage,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  let isSilent = false;
  const reader = createInterface({ input: answered, crlfDelay: Number.POSITIVE_INFINITY });
  reader.on('line', (line) => {
    if (isSilent || response.destroyed) return;
    const index = entry.lines;
    entry.lines += 1;
    const said = typeof fault === 'object' && 'line' in fault ? fault.line(line, index) : undefined;
    if (said === 'drop') return;
    if (said === 'silence') isSilent = true;
    else if (said === 'cut') response.write(line.slice(0, line.length / 2), () => request.socket.destroy());
    else response.write(`${said === undefined ? line : said.instead}\n`);
  });
  // Told by the answer itself as well.
  reader.on('error', () => undefined);
  reader.on('close', () => {
    if (!isSilent) response.end();
  });
  response.on('close', () => answered.destroy());
}

function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'proxy',
    clusters: [{ name: 'proxy', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'proxy', user: {} }],
    contexts: [{ name: 'proxy', context: { cluster: 'proxy', user: 'proxy' } }],
  });
}

/** The access of a proxy's administrator who speaks for this account. */
export const speakingFor =
  (account: string): Credentials['access'] =>
  async () => ({ headers: { 'impersonate-user': account }, tls: {} });
