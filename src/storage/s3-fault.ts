/** What is known of anything that a request threw, and of where it went. */
import type { StoreAccess } from '../api/task.ts';
import { messageOf } from '../lib/errors.ts';

/** Where a request went and who asked, for messages. */
export type Site = Pick<StoreAccess, 'endpoint' | 'bucket' | 'secret' | 'serviceAccount' | 'authorities'>;

export interface Fault {
  /** The server's own word (`NoSuchBucket`), or the machine's (`ECONNREFUSED`). */
  readonly code: string;
  readonly status: number | undefined;
  readonly message: string;
}

export function faultOf(caught: unknown): Fault {
  const error = (caught ?? {}) as {
    readonly name?: unknown;
    readonly code?: unknown;
    readonly Code?: unknown;
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly $response?: { readonly statusCode?: number };
  };
  const named = [error.Code, error.code, error.name].find((value) => typeof value === 'string' && value !== '');
  return {
    code: typeof named === 'string' ? named : 'Error',
    status: error.$metadata?.httpStatusCode ?? error.$response?.statusCode,
    message: messageOf(caught).slice(0, 300),
  };
}

export const wordsOf = ({ code, message }: Fault) =>
  message === '' || message === code ? code : `${code}: ${message}`;

export const serviceAccountOf = ({ serviceAccount }: Pick<Site, 'serviceAccount'>) => serviceAccount ?? 'default';
