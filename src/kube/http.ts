import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request as plainRequest } from 'node:http';
import { Agent, request as tlsRequest } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '../lib/errors.ts';
import { monotonic } from '../platform/clock.ts';
import type { Access, Credentials } from './credentials.ts';
import { KubeError, NO_ANSWER } from './errors.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
  readonly contentType?: string;
  /** Asked at the last instant, when the connection stands and before the first byte: it throws to keep the request back. */
  readonly beforeSend?: () => void;
}

/** How long an answer may take, the connection included; a write that lasts longer may still be carried out. */
const CALL_TIMEOUT = 30_000;

/** How long a stream's first byte may take. */
const STREAM_START_TIMEOUT = 30_000;

/** As client-go does: a token is read again every minute, long before the kubelet's copy expires. */
const ACCESS_AGE = 60_000;

/** Far more than there are passes at a time. */
const CONNECTIONS = 64;

/** Larger answers are refused rather than held: a page of 500 of the largest objects is far below. */
const ANSWER_LIMIT = 256 * 1024 * 1024;

/** JSON over HTTPS with kept-alive connections: what one needs of a Kubernetes client, and nothing that costs memory. */
export class Http {
  private readonly credentials: Credentials;
  private readonly timeout: number;
  private readonly connections: number;
  private access: { readonly value: Access; readonly read: number; readonly agent: Agent | PlainAgent } | undefined;

  /** `connections`: how many there may be at a time; what is more waits. */
  constructor(credentials: Credentials, options: { readonly timeout?: number; readonly connections?: number } = {}) {
    this.credentials = credentials;
    this.timeout = options.timeout ?? CALL_TIMEOUT;
    this.connections = options.connections ?? CONNECTIONS;
  }

  /** The parsed answer. Any other status than 2xx, and anything that is no JSON, is thrown as a KubeError. */
  async json<T>(call: Call): Promise<T> {
    const name = `${call.method} ${call.path}`;
    const timeout = AbortSignal.timeout(this.timeout);
    try {
      const response = await this.open(call, timeout);
      const text = await readAll(response);
      if (!isSuccess(response)) throw await this.refused(name, response, text);
      return parse<T>(text);
    } catch (caught) {
      throw asKubeError(name, caught, timeout.aborted ? `no answer within ${this.timeout} ms` : undefined);
    }
  }

  /** The answer as a stream, once its status is known to be 2xx. The caller watches over its life; aborting `signal` ends it. */
  async stream(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const name = `${call.method} ${call.path}`;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), STREAM_START_TIMEOUT);
    try {
      const response = await this.open(call, AbortSignal.any([signal, late.signal]));
      if (!isSuccess(response)) throw await this.refused(name, response, await readAll(response));
      return response;
    } catch (caught) {
      throw asKubeError(name, caught, late.signal.aborted ? 'no answer in time' : undefined);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the kept-alive connections. */
  close(): void {
    this.access?.agent.destroy();
  }

  private async open(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const { value, agent } = await this.currentAccess();
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const url = new URL(this.credentials.url);
    url.pathname = `${url.pathname.replace(/\/$/, '')}${call.path}`;
    for (const [key, text] of Object.entries(call.query ?? {})) if (text !== undefined) url.searchParams.set(key, text);
    const send = url.protocol === 'http:' ? plainRequest : tlsRequest;
    const request = send(url, {
      method: call.method,
      agent,
      signal,
      headers: {
        ...value.headers,
        accept: 'application/json',
        'user-agent': 'holdfast',
        ...(body === undefined
          ? {}
          : { 'content-type': call.contentType ?? 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      // Stays on: after the response has begun, a broken connection is told by the response as well.
      request.on('error', reject);
    });
    answer.catch(() => undefined);
    await connected(request, answer);
    try {
      call.beforeSend?.();
    } catch (error) {
      request.destroy();
      throw error;
    }
    request.end(body);
    return answer;
  }

  private async currentAccess() {
    const now = monotonic();
    if (this.access === undefined || now - this.access.read > ACCESS_AGE) {
      const value = await this.credentials.access();
      const before = this.access;
      const same = before !== undefined && isDeepStrictEqual(before.value.tls, value.tls);
      // A replaced certificate needs new connections; those under way end by themselves.
      this.access = { value, read: now, agent: same ? before.agent : this.newAgent(value) };
    }
    return this.access;
  }

  private newAgent(access: Access): Agent | PlainAgent {
    if (access.agent !== undefined) return access.agent;
    const options = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets: this.connections };
    return this.credentials.url.protocol === 'http:'
      ? new PlainAgent(options)
      : new Agent({ ...options, ...access.tls });
  }

  private async refused(name: string, response: IncomingMessage, text: string): Promise<KubeError> {
    // The token may have been replaced a moment ago: the next request reads it anew.
    if (response.statusCode === 401 && this.access !== undefined) {
      this.access = { ...this.access, read: Number.NEGATIVE_INFINITY };
    }
    return refusal(name, response, text);
  }
}

function isSuccess(response: IncomingMessage): boolean {
  const status = response.statusCode ?? 0;
  return status >= 200 && status < 300;
}

/** Resolves once the request has a connection that bytes can be sent on at once; rejects as `answer` does. */
function connected(request: ClientRequest, answer: Promise<unknown>): Promise<unknown> {
  const ready = new Promise<void>((resolve) => {
    request.once('socket', (socket: TLSSocket) => {
      if (!socket.connecting && !isShakingHands(socket)) resolve();
      else socket.once(socket.encrypted ? 'secureConnect' : 'connect', () => resolve());
    });
  });
  return Promise.race([ready, answer]);
}

function isShakingHands(socket: TLSSocket): boolean {
  return socket.encrypted && socket.getProtocol() === null;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > ANSWER_LIMIT) throw new Error(`the answer is longer than ${ANSWER_LIMIT} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse<T>(text: string): T {
  const value: unknown = JSON.parse(text);
  if (value === null || typeof value !== 'object') throw new Error('the answer is no JSON object');
  return value as T;
}

interface StatusAnswer {
  readonly reason?: string;
  readonly message?: string;
  readonly details?: { readonly retryAfterSeconds?: number };
}

/** The KubeError of a refusal: the API server's own Status where there is one, else what HTTP says (a proxy, a load balancer). */
function refusal(name: string, response: IncomingMessage, text: string): KubeError {
  let answer: StatusAnswer = {};
  try {
    answer = parse<StatusAnswer>(text);
  } catch {
    // No Status: a proxy's page. Its text may be anything; the status says enough.
  }
  const status = response.statusCode ?? NO_ANSWER;
  const seconds = Number(response.headers['retry-after'] ?? answer.details?.retryAfterSeconds);
  return new KubeError(name, {
    status,
    message: answer.message || `HTTP ${status} ${response.statusMessage ?? ''}`.trim(),
    ...(answer.reason ? { reason: answer.reason } : {}),
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfter: seconds * 1000 } : {}),
  });
}

function asKubeError(name: string, caught: unknown, message: string | undefined): unknown {
  if (caught instanceof KubeError) return caught;
  return new KubeError(name, { status: NO_ANSWER, message: message ?? messageOf(caught), cause: caught });
}
