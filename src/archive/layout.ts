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

/** Segment `segment` of part `part`, relative to the run's folder: the first has no number of its own. */
export function segmentName(attempt: string, part: number, segment: number): string {
  const number = String(part).padStart(5, '0');
  const suffix = segment === 0 ? '' : `.${String(segment).padStart(3, '0')}`;
  return `${attempt}/part-${number}.pgdump.zst.age${suffix}`;
}

export function contentsName(attempt: string): string {
  return `${attempt}/contents.json.zst.age`;
}
