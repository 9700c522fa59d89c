import { readFile } from 'node:fs/promises';
import { zstdVersion } from './stages/zstd.ts';

/** Ours and the compressor's, for the manifest; the dumping tool is the engine's to name. */
export async function toolVersions(): Promise<{ readonly holdfast: string; readonly zstd: string }> {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return { holdfast: version, zstd: await zstdVersion() };
}
