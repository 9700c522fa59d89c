import Type from 'typebox';
import { Check } from 'typebox/value';
import { ComparisonSchema } from '../api/comparison.ts';
import { ByteCount, Digest } from '../api/digest.ts';
import { FailureSchema } from '../api/failure.ts';
import type { Command, Report } from '../api/task.ts';

const text = (maxLength: number) => Type.String({ maxLength });
const instant = () => Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$' });
const SWAPPED = Type.Object({ previousDatabase: Type.Optional(text(63)) });
const CHECKED = Type.Array(Type.Object({ name: text(63), passed: Type.Boolean(), found: Type.Optional(text(256)) }), {
  maxItems: 32,
});
const counts = () => ({ bytes: ByteCount(), tables: ByteCount(), rows: ByteCount() });
const RESULTS = {
  probe: Type.Object({ conditionalWrites: Type.Boolean() }),
  backup: Type.Object({
    manifestDigest: Digest(),
    sizes: Type.Object({ source: ByteCount(), stored: ByteCount() }),
    keyFingerprints: Type.Array(text(128), { maxItems: 16 }),
    server: Type.Object({ engine: text(64), version: text(256) }),
    tool: text(256),
    verifiedTime: instant(),
    dataTime: Type.Optional(instant()),
  }),
  plan: Type.Object({
    refusals: Type.Array(FailureSchema),
    alreadyRestored: Type.Boolean(),
    server: text(256),
    databaseExists: Type.Boolean(),
    objects: ByteCount(),
    bytesNeeded: ByteCount(),
    compatibility: Type.Optional(Type.Array(ComparisonSchema, { maxItems: 8 })),
    warnings: Type.Optional(Type.Array(text(4096))),
    notes: Type.Optional(Type.Array(text(4096))),
  }),
  load: Type.Object({ live: Type.Optional(SWAPPED), noted: Type.Optional(Digest()) }),
  check: Type.Object({ checks: CHECKED }),
  swap: SWAPPED,
  cleanup: Type.Object({ restored: Type.Boolean(), previousDatabase: Type.Optional(text(63)) }),
  catalog: Type.Object({
    manifestDigest: Digest(),
    cluster: text(253),
    namespace: text(253),
    backup: Type.Object({ name: text(253), uid: text(64) }),
    dataTime: instant(),
    server: Type.Object({ engine: text(64), version: text(256) }),
    scope: Type.Enum(['Database', 'Instance']),
    verification: Type.Object({ level: text(64), time: instant() }),
    database: Type.Optional(text(63)),
  }),
  prune: Type.Object({
    removed: Type.Array(Type.Integer({ minimum: 0, maximum: 100 }), { maxItems: 100 }),
    failure: Type.Optional(FailureSchema),
  }),
  examine: Type.Object({ refusals: Type.Array(FailureSchema), major: ByteCount(), bytesNeeded: ByteCount() }),
  drill: Type.Object({
    server: text(256),
    seconds: ByteCount(),
    totals: Type.Object({ databases: ByteCount(), ...counts() }),
    databases: Type.Optional(Type.Array(Type.Object({ name: text(63), ...counts() }), { maxItems: 10 })),
    largest: Type.Array(Type.Object({ table: text(256), rows: ByteCount() }), { maxItems: 10 }),
    checks: CHECKED,
    notes: Type.Optional(Type.Array(text(2000), { maxItems: 32 })),
  }),
} as const satisfies Record<Command, unknown>;

/**
 * The runner's termination message, which comes from a pod and so from outside: `undefined` unless it is a report of the
 * command that was asked for, in every field.
 */
export function parseReport<C extends Command>(command: C, message: string | undefined): Report<C> | undefined {
  const value = parseJson(message);
  if (!isRecord(value) || value['command'] !== command) return undefined;
  const fits =
    value['ok'] === true
      ? Check(RESULTS[command], value['result'])
      : value['ok'] === false && typeof value['retry'] === 'boolean' && Check(FailureSchema, value['failure']);
  return fits ? (value as unknown as Report<C>) : undefined;
}

function parseJson(textOfMessage: string | undefined): unknown {
  try {
    return JSON.parse(textOfMessage ?? '');
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
