/** A manifest that is in the run's folder before we wrote one: an earlier attempt's, which died after its commit and before its report. */

import type { BackupResult, BackupTask } from '../api/task.ts';
import { dataTimeOf, type Manifest } from '../archive/manifest.ts';
import { HoldfastError } from '../lib/errors.ts';
import type { StoredManifest } from './stored-manifest.ts';

/** What the earlier attempt would have reported. A manifest that is not of this backup is a final failure: nothing is ever overwritten. */
export function resultOfEarlier(found: StoredManifest, task: BackupTask): BackupResult {
  const { manifest } = found;
  if (manifest.backup.uid !== task.run.uid || manifest.namespace !== task.run.namespace) {
    throw new HoldfastError(
      'FolderTaken',
      `${task.folder} holds the archive of another backup, ${manifest.namespace}/${manifest.backup.name}`,
      {
        hint: 'Two clusters may share clusterName and prefix: give each its own. Then make a new Backup.',
      },
    );
  }
  return resultOf(found, SOURCE_SIZE_UNKNOWN);
}

/** The plain size is in the encrypted contents only, and the run that knew it is gone. */
const SOURCE_SIZE_UNKNOWN = 0;

export function resultOf({ manifest, digest, size }: StoredManifest, source: number): BackupResult {
  return {
    manifestDigest: digest,
    sizes: { source, stored: storedBytes(manifest) + size },
    keyFingerprints: manifest.recipients,
    server: { engine: manifest.engine, version: manifest.server.version },
    tool: dumpTool(manifest),
    verifiedTime: manifest.verification.time,
    dataTime: dataTimeOf(manifest),
  };
}

function storedBytes(manifest: Manifest): number {
  return manifest.segments.reduce((sum, segment) => sum + segment.size, manifest.contents.size);
}

/** The one among the tools that is neither ours nor the compressor. */
function dumpTool({ tools }: Manifest): string {
  const [name, version] = Object.entries(tools).find(([tool]) => !['holdfast', 'zstd'].includes(tool)) ?? [
    'unknown',
    '',
  ];
  return `${name} ${version}`.trim();
}
