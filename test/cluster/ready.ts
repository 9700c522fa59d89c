/** Asks servers over HTTP whether they are ready. */
import { readFile } from 'node:fs/promises';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';

/** A server that is up answers a health check at once; one that hangs counts as not ready. */
const ANSWER_WITHIN_MS = 2_000;

/** Whether GET `url` is answered with 200. */
export async function answersHttp(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  await response.arrayBuffer();
  return response.ok;
}

/** The same of a server whose certificate nobody has to trust yet: it is asked whether it is there, not who it is. */
export function answersHttps(url: string): Promise<boolean> {
  return answersOk(url, { rejectUnauthorized: false });
}

/** Whether the API server at `url` calls itself ready, asked as the administrator of a folder of certificates. */
export async function apiServerReady(url: string, pki: string): Promise<boolean> {
  const [ca, cert, key] = await Promise.all(
    ['ca.crt', 'admin.crt', 'admin.key'].map((name) => readFile(join(pki, name))),
  );
  return answersOk(`${url}/readyz`, { ca, cert, key });
}

function answersOk(url: string, tls: RequestOptions): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  // No agent: no connection stays open to a server that is about to be restarted.
  const request = httpsRequest(url, { ...tls, agent: false, timeout: ANSWER_WITHIN_MS }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  });
  request.on('timeout', () => request.destroy(new Error(`${url} does not answer`)));
  request.on('error', reject);
  request.end();
  return promise;
}
