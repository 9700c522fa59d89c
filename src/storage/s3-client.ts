/** The connection to one bucket: every request of ours goes through {@link S3Connection.request}, which tries again and names what is wrong. */
import { getCACertificates } from 'node:tls';
import { S3Client } from '@aws-sdk/client-s3';
import type { StoreAccess } from '../api/task.ts';
import { type Patience, retrying } from './retry.ts';
import { canHeal, storeError } from './s3-errors.ts';
import type { Site } from './s3-fault.ts';
import { AMBIENT, ambientCredentials, type CredentialSource } from './s3-identity.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Who we are to the server: {@link AMBIENT} is whoever the cloud says the pod is. */
export type S3Login = S3Credentials | typeof AMBIENT;

const CONNECT_TIMEOUT_MS = 10_000;
/** Nothing sent and nothing received for so long means that the connection is dead. */
export const IDLE_TIMEOUT_MS = 60_000;
/** From the first byte sent to the head of the answer. A piece of 8 MiB then still passes at 28 KB/s. */
const REQUEST_TIMEOUT_MS = 300_000;

type Send = <T>(work: (client: S3Client) => Promise<T>) => Promise<T>;

export class S3Connection {
  readonly bucket: string;
  readonly site: Site;
  readonly #client: S3Client;
  readonly #patience: Patience;

  /** `authorities`: PEM; those that may have signed the server's certificate, in place of the public ones. */
  constructor(access: StoreAccess, login: S3Login, options: { patience: Patience; authorities?: string | undefined }) {
    this.bucket = access.bucket;
    this.site = access;
    this.#client = clientOf(access, login, options.authorities);
    this.#patience = options.patience;
  }

  /** One request, tried again while that may help. Throws a HoldfastError, or the signal's reason. `doing` ends the sentence "cannot …". */
  async request<T>(
    doing: string,
    work: (client: S3Client, attempt: number) => Promise<T>,
    options: { readonly signal?: AbortSignal | undefined; readonly patience?: Patience } = {},
  ): Promise<T> {
    const { signal, patience = this.#patience } = options;
    try {
      return await retrying((attempt) => work(this.#client, attempt), { patience, canHeal, signal });
    } catch (caught) {
      signal?.throwIfAborted();
      throw storeError(caught, this.site, doing);
    }
  }

  /** One try, with the error as it came. */
  readonly attempt: Send = (work) => work(this.#client);

  get patience(): Patience {
    return this.#patience;
  }

  close(): void {
    this.#client.destroy();
  }
}

/** The option by which a request of the client ends with a signal. */
export function until(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

/** An answer's body checked against what was sent. Servers whose entity tags are no MD5 (SSE-KMS) are believed. */
export function checkEntityTag(
  answer: { readonly ETag?: string | undefined; readonly ServerSideEncryption?: string | undefined },
  md5: Buffer,
): void {
  const tag = answer.ETag?.replaceAll('"', '') ?? '';
  const isDigest = /^[0-9a-f]{32}$/.test(tag) && (answer.ServerSideEncryption ?? 'AES256') === 'AES256';
  if (isDigest && tag !== md5.toString('hex')) {
    throw Object.assign(new Error('the server stored other bytes than were sent'), { code: 'ChecksumMismatch' });
  }
}

function clientOf(access: StoreAccess, login: S3Login, authorities: string | undefined): S3Client {
  return new S3Client({
    endpoint: access.endpoint,
    region: access.region,
    forcePathStyle: access.forcePathStyle,
    credentials: credentialsOf(access, login, authorities),
    // Many servers refuse the checksum trailers that the client sends by itself; every body of ours has its Content-MD5.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Its own retries know nothing of a changed body or of the run's end, and disguise what the network said; ours are in retry.ts.
    retryStrategy: { retry: (next, args) => next(args) },
    // It would open a new connection for every piece.
    expectContinueHeader: false,
    requestHandler: handlerOf(authorities === undefined ? undefined : [authorities]),
  });
}

/** The token service is not the store's: there, the store's authority is one more, so that both may be of one private cloud. */
function credentialsOf(
  access: StoreAccess,
  login: S3Login,
  authorities: string | undefined,
): S3Credentials | CredentialSource {
  if (login !== AMBIENT) return { ...login };
  const trusted = authorities === undefined ? undefined : [...getCACertificates('default'), authorities];
  return ambientCredentials(access, access.region, handlerOf(trusted));
}

function handlerOf(ca: string[] | undefined) {
  return {
    connectionTimeout: CONNECT_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    throwOnRequestTimeout: true,
    socketTimeout: IDLE_TIMEOUT_MS,
    httpAgent: { keepAlive: true, maxSockets: 16 },
    httpsAgent: { keepAlive: true, maxSockets: 16, ...(ca === undefined ? {} : { ca }) },
  };
}
