import { createServer, type Server, type ServerResponse } from 'node:http';

export interface HealthSources {
  /** Why this process must be restarted; undefined: it need not. Trouble of the API server is none: a restart heals nothing. */
  readonly unhealthy: () => string | undefined;
  /** What it still waits for; undefined: it is ready. */
  readonly unready: () => string | undefined;
  /** What a person should know although it is ready. */
  readonly remark?: () => string | undefined;
  readonly metrics: () => Promise<string>;
}

/** `/healthz`, `/readyz` and `/metrics`; reads only. That it answers at all shows that the event loop is alive. */
export function newHealthServer(sources: HealthSources): Server {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'only GET');
    if (path === '/healthz') return verdict(response, sources.unhealthy());
    if (path === '/readyz') return verdict(response, sources.unready(), sources.remark?.());
    if (path === '/metrics') return void metrics(response, sources.metrics);
    return answer(response, 404, 'there are /healthz, /readyz and /metrics');
  });
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  return server;
}

async function metrics(response: ServerResponse, text: () => Promise<string>): Promise<void> {
  try {
    answer(response, 200, await text(), 'text/plain; version=0.0.4; charset=utf-8');
  } catch {
    answer(response, 500, 'the metrics could not be computed');
  }
}

function verdict(response: ServerResponse, trouble: string | undefined, remark?: string): void {
  const ok = remark === undefined ? 'ok' : `ok; ${remark}`;
  answer(response, trouble === undefined ? 200 : 503, trouble ?? ok);
}

function answer(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type });
  response.end(`${text.trimEnd()}\n`);
}
