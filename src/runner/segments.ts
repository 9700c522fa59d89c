/** A part of an archive as objects: written in segments of a bounded size, read back as one. */
import { HEADER_LIMIT } from '../archive/age/header.ts';
import { segmentName } from '../archive/layout.ts';
import type { ManifestSegment } from '../archive/manifest.ts';
import { HoldfastError } from '../lib/errors.ts';
import type { Storage, Upload } from '../storage/storage.ts';
import { Meter, type SizedDigest, sameDigest } from './stages/meter.ts';

export interface PartPlace {
  readonly storage: Storage;
  /** The run's folder, with a trailing slash. */
  readonly folder: string;
  readonly attempt: string;
  readonly part: number;
  /** Name of the part's file, as layout.ts gives it. */
  readonly file: string;
  readonly segmentBytes: number;
}

interface OpenSegment {
  readonly name: string;
  readonly upload: Upload;
  readonly payload: Meter;
}

/**
 * Writes one age file. No segment is completed before {@link finish}: a run that fails can abort all of them, so it
 * leaves no object behind, and the writer needs no right to delete.
 */
export class SegmentWriter {
  readonly #place: PartPlace;
  readonly #segments: OpenSegment[] = [];
  #header: SizedDigest | undefined;
  /** Bytes of the segment that is being written. */
  #used = 0;
  #size = 0;

  constructor(place: PartPlace) {
    if (place.segmentBytes < HEADER_LIMIT) throw new Error('a segment must have room for a header');
    this.#place = place;
  }

  get size(): number {
    return this.#size;
  }

  async begin(header: Uint8Array): Promise<void> {
    const meter = new Meter();
    meter.update(header);
    this.#header = meter.result();
    const segment = await this.#next();
    await segment.upload.write(header);
    this.#count(header.length);
  }

  async write(payload: Uint8Array): Promise<void> {
    let rest = payload;
    while (rest.length > 0) {
      const room = this.#place.segmentBytes - this.#used;
      const segment = room === 0 ? await this.#next() : this.#current();
      const piece = rest.subarray(0, this.#place.segmentBytes - this.#used);
      segment.payload.update(piece);
      await segment.upload.write(piece);
      this.#count(piece.length);
      rest = rest.subarray(piece.length);
    }
  }

  /** Sends what is left and keeps no memory until {@link finish}: for a part that has to wait for others. */
  async rest(): Promise<void> {
    for (const { upload } of this.#segments) await upload.rest();
  }

  /** Completes every segment, in order. */
  async finish(): Promise<ManifestSegment[]> {
    const finished: ManifestSegment[] = [];
    for (const [index, { name, upload, payload }] of this.#segments.entries()) {
      const stored = await upload.complete();
      finished.push({
        key: name,
        part: this.#place.part,
        size: stored.size,
        ...(stored.versionId === undefined ? {} : { versionId: stored.versionId }),
        ...(index === 0 && this.#header !== undefined ? { header: this.#header } : {}),
        payload: payload.result(),
      });
    }
    return finished;
  }

  /** Leaves nothing of what is not completed. Every upload is tried; the first failure is thrown at the end. */
  async abort(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#segments.map(({ upload }) => upload.abort()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #next(): Promise<OpenSegment> {
    const { storage, folder, attempt, file } = this.#place;
    const name = segmentName(attempt, file, this.#segments.length);
    const segment = { name, upload: await storage.beginUpload(`${folder}${name}`), payload: new Meter() };
    this.#segments.push(segment);
    this.#used = 0;
    return segment;
  }

  #current(): OpenSegment {
    const segment = this.#segments.at(-1);
    if (segment === undefined) throw new Error('a part begins with its header');
    return segment;
  }

  #count(bytes: number): void {
    this.#used += bytes;
    this.#size += bytes;
  }
}

/** The bytes of a part, in order. That they are those of the manifest is known at the end of each segment: what differs throws `ArchiveCorrupt`. */
export async function* readPart(
  storage: Storage,
  folder: string,
  segments: readonly ManifestSegment[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const segment of segments) yield* readSegment(storage, folder, segment, signal);
}

async function* readSegment(
  storage: Storage,
  folder: string,
  segment: ManifestSegment,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { key, versionId } = segment;
  const headerBytes = segment.header?.size ?? 0;
  const [header, payload] = [new Meter(), new Meter()];
  const stored = await storage.get(`${folder}${key}`, { signal, ...(versionId === undefined ? {} : { versionId }) });
  for await (const chunk of stored as AsyncIterable<Uint8Array>) {
    const ofHeader = chunk.subarray(0, headerBytes - header.size);
    if (ofHeader.length > 0) header.update(ofHeader);
    payload.update(chunk.subarray(ofHeader.length));
    yield chunk;
  }
  if (segment.header !== undefined && !sameDigest(header.result(), segment.header)) throw changed(key);
  if (!sameDigest(payload.result(), segment.payload)) throw changed(key);
}

function changed(key: string): HoldfastError {
  return new HoldfastError('ArchiveCorrupt', `the bytes of ${key} are not those that the manifest names`, {
    hint: 'The store lost or changed bytes, or somebody overwrote the object. Use another backup.',
  });
}
