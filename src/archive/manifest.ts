import Type, { type Static } from 'typebox';
import { ApplicationFactsSchema } from '../api/application.ts';
import { ByteCount, Digest } from '../api/digest.ts';
import { FORMAT_VERSION } from './layout.ts';

const sizedDigest = () => Type.Object({ size: ByteCount(), sha256: Digest() });
/** Key relative to the run's folder; never leaves it. */
const key = () =>
  Type.String({ maxLength: 512, pattern: '^[A-Za-z0-9][-A-Za-z0-9_.]*(/[A-Za-z0-9][-A-Za-z0-9_.]*)*$' });

/**
 * manifest.json: plain text, written last. A backup exists if and only if its manifest does.
 *
 * It holds no secret, no row data, no object names, and neither size nor digest of the plain dump: in clear those would
 * let anyone confirm a guess. They are in the encrypted contents.
 */
export const ManifestSchema = Type.Object({
  formatVersion: Type.Literal(FORMAT_VERSION),
  cluster: Type.String(),
  namespace: Type.String(),
  backup: Type.Object({ name: Type.String(), uid: Type.String() }),
  /** UID of the pod that wrote it. */
  attempt: Type.String(),
  startTime: Type.String(),
  completionTime: Type.String(),
  engine: Type.Literal('postgresql'),
  server: Type.Object({ version: Type.String(), major: Type.Integer() }),
  tools: Type.Record(Type.String(), Type.String()),
  scope: Type.Enum(['Database', 'Instance']),
  segments: Type.Array(
    Type.Object({
      key: key(),
      part: Type.Integer({ minimum: 0 }),
      versionId: Type.Optional(Type.String()),
      size: ByteCount(),
      /** The age header, up to and with the line that bears its MAC; only the first segment of a part has one. Apart, so that it can be rewritten for new readers. */
      header: Type.Optional(sizedDigest()),
      payload: sizedDigest(),
    }),
    { minItems: 1 },
  ),
  /** Fingerprints of the recipients; the run's own ephemeral recipient is not among them. */
  recipients: Type.Array(Type.String(), { minItems: 1 }),
  contents: Type.Object({ key: key(), versionId: Type.Optional(Type.String()), size: ByteCount(), sha256: Digest() }),
  verification: Type.Object({ level: Type.Literal('ReadBack'), time: Type.String() }),
  /** The app whose data it is. Absent: nobody said, or an archive from before this was asked. */
  application: Type.Optional(ApplicationFactsSchema),
});

export type Manifest = Static<typeof ManifestSchema>;
/**
 * The instant that the data is of, in whole seconds. The snapshot of one database is taken when its dump begins; those of a
 * server's databases one after the other, so all that can be said is that nothing is of later than the end.
 */
export function dataTimeOf({ scope, startTime, completionTime }: Manifest): string {
  return scope === 'Instance' ? completionTime : startTime;
}

export type ManifestSegment = Manifest['segments'][number];
