/** Where cluster N is: its addresses, and its folder in the cache. */
import { join } from 'node:path';
import { type Addresses, addressesOf } from './addresses.ts';
import { cacheRoot } from './cache-root.ts';

export interface Place {
  addresses: Addresses;
  /** Everything of the cluster that is a file is below. */
  dir: string;
}

export function placeOf(number: number): Place {
  const addresses = addressesOf(number);
  return { addresses, dir: join(cacheRoot(), 'clusters', addresses.name) };
}

/** The administrator's. */
export function kubeconfigOf(dir: string): string {
  return join(dir, 'admin.kubeconfig');
}
