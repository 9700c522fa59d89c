import Type from 'typebox';
import { Check } from 'typebox/value';
import { ByteCount, Digest } from '../api/digest.ts';
import { FailureSchema } from '../api/failure.ts';
import type { Command, Report } from '../api/task.ts';

const text = (maxLength: number) => Type.String({ maxLength });
const RESULTS = {
  probe: Type.Object({ conditionalWrites: Type.Boolean() }),
  backup: Type.Object({
    manifestDigest: Digest(),
    sizes: Type.Object({ source: ByteCount(), stored: ByteCount() }),
    keyFingerprints: Type.Array(text(128), { maxItems: 16 }),
    server: Type.Object({ engine: text(64), version: text(256) }),
    tool: text(256),
    verifiedTime: Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$' }),
  }),
  plan: Type.Object({
    refusals: Type.Array(FailureSchema),
    alreadyRestored: Type.Boolean(),
    server: text(256),
    databaseExists: Type.Boolean(),
    objects: ByteCount(),
    bytesNeeded: ByteCount(),
  }),
  restore: Type.Object({ previousDatabase: Type.Optional(text(63)) }),
  cleanup: Type.Object({ restored: Type.Boolean(), previousDatabase: Type.Optional(text(63)) }),
  prune: Type.Object({
    removed: Type.Array(Type.Integer({ minimum: 0, maximum: 100 }), { maxItems: 100 }),
    failure: Type.Optional(FailureSchema),
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
