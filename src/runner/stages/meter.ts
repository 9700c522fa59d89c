import { createHash } from 'node:crypto';

export interface SizedDigest {
  readonly size: number;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly sha256: string;
}

/** Counts bytes and digests them. */
export class Meter {
  readonly #hash = createHash('sha256');
  #size = 0;

  get size(): number {
    return this.#size;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    this.#size += bytes.length;
  }

  /** Once, at the end. */
  result(): SizedDigest {
    return { size: this.#size, sha256: `sha256:${this.#hash.digest('hex')}` };
  }
}

export function sizedDigestOf(bytes: Uint8Array): SizedDigest {
  const meter = new Meter();
  meter.update(bytes);
  return meter.result();
}

export function sameDigest(a: SizedDigest, b: SizedDigest): boolean {
  return a.size === b.size && a.sha256 === b.sha256;
}
