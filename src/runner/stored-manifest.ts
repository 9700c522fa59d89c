import { Errors } from 'typebox/value';
import { manifestKey } from '../archive/layout.ts';
import { type Manifest, ManifestSchema } from '../archive/manifest.ts';
import { HoldfastError, messageOf } from '../lib/errors.ts';
import type { Storage } from '../storage/storage.ts';
import { sizedDigestOf } from './stages/meter.ts';

const MANIFEST_LIMIT = 4 * 1024 * 1024;

/** A manifest with the digest that names it: of its exact bytes. */
export interface StoredManifest {
  readonly manifest: Manifest;
  readonly digest: string;
  readonly size: number;
}

/** Undefined when the run's folder has none. Fails with `ManifestInvalid` when what is there is no manifest of ours. */
export async function findManifest(storage: Storage, folder: string): Promise<StoredManifest | undefined> {
  try {
    return parseManifest(await storage.getSmall(manifestKey(folder), MANIFEST_LIMIT));
  } catch (caught) {
    if (caught instanceof HoldfastError && caught.reason === 'ObjectNotFound') return undefined;
    throw caught;
  }
}

export function encodeManifest(manifest: Manifest): { readonly bytes: Uint8Array; readonly digest: string } {
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  return { bytes, digest: sizedDigestOf(bytes).sha256 };
}

function parseManifest(bytes: Uint8Array): StoredManifest {
  const { sha256: digest, size } = sizedDigestOf(bytes);
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (caught) {
    throw invalid(messageOf(caught));
  }
  const [error] = Errors(ManifestSchema, value);
  if (error !== undefined) throw invalid(`${error.instancePath || '/'} ${error.message}`);
  return { manifest: value as Manifest, digest, size };
}

function invalid(problem: string): HoldfastError {
  return new HoldfastError('ManifestInvalid', `manifest.json is none of ours: ${problem}`, {
    hint: 'See who wrote to the folder of the archive; an archive of a newer version needs a newer Holdfast.',
  });
}
