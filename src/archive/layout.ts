/** Where the files of an archive are, format version 1. Pure. See docs/format.md. */

export const FORMAT_VERSION = 1;

/** A part longer than this goes on in a further segment, so that neither memory nor the number of multipart pieces depends on its size. */
export const SEGMENT_BYTES = 16 * 1024 ** 3;

/** The run's folder within the bucket: `<prefix>/v1/<cluster>/<namespace>/<schedule or _manual>/<time>-<uid>/`. */
export function runFolder(run: {
  readonly prefix: string;
  readonly cluster: string;
  readonly namespace: string;
  readonly schedule?: string;
  readonly time: Date;
  readonly uid: string;
}): string {
  const stamp = run.time.toISOString().replace(/[-:]|\.\d+/g, '');
  const uid = run.uid.replaceAll('-', '').slice(0, 8);
  const parts = [
    run.prefix,
    `v${FORMAT_VERSION}`,
    run.cluster,
    run.namespace,
    run.schedule ?? '_manual',
    `${stamp}-${uid}`,
  ];
  return `${parts.filter((part) => part !== '').join('/')}/`;
}

export function manifestKey(folder: string): string {
  return `${folder}manifest.json`;
}

/** Segment `segment` of a file, relative to the run's folder: the first has no number of its own. */
export function segmentName(attempt: string, file: string, segment: number): string {
  const suffix = segment === 0 ? '' : `.${String(segment).padStart(3, '0')}`;
  return `${attempt}/${file}.zst.age${suffix}`;
}

/** The file of a part that is a dump of a database. */
export function dumpFile(part: number): string {
  return `part-${String(part).padStart(5, '0')}.pgdump`;
}

/** The file of the part with what belongs to the whole server: roles and tablespaces. */
export const GLOBALS_FILE = 'globals.sql';

export function contentsName(attempt: string): string {
  return `${attempt}/contents.json.zst.age`;
}
