/** Compression by the zstd program: a process of its own, so that it has a core of its own and Node only moves its bytes. */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { HoldfastError } from '../../lib/errors.ts';
import {
  exitProblem,
  type Program,
  run,
  startFilter,
  type WithInput,
  type WithOutput,
} from '../../platform/subprocess.ts';

const COMMAND = 'zstd';
const QUIET = ['-q', '--no-progress', '-c'];

export type Filter = Program & WithInput & WithOutput;

export function startCompressor(level: number, signal: AbortSignal): Filter {
  return startFilter({ command: COMMAND, args: [`-${level}`, ...QUIET], signal });
}

export function startDecompressor(signal: AbortSignal): Filter {
  return startFilter({ command: COMMAND, args: ['-d', ...QUIET], signal });
}

/** Such as `1.5.7`. */
export async function zstdVersion(): Promise<string> {
  const exit = await run({ command: COMMAND, args: ['--version'] });
  const problem = exitProblem(exit);
  const version = /v(\d+(?:\.\d+)+)/.exec(exit.stdout)?.[1];
  if (problem === undefined && version !== undefined) return version;
  throw new HoldfastError('ZstdMissing', `the zstd program does not run: ${problem ?? exit.stdout.trim()}`, {
    hint: 'The image of the runner must contain zstd.',
  });
}

export const compressSmall = promisify(zstdCompress) as (bytes: Uint8Array) => Promise<Buffer>;

/** More than `limit` bytes is an error: a few kilobytes can say that they are terabytes. */
export function decompressSmall(bytes: Uint8Array, limit: number): Promise<Buffer> {
  return (promisify(zstdDecompress) as (bytes: Uint8Array, options: object) => Promise<Buffer>)(bytes, {
    maxOutputLength: limit,
  });
}
