import { shortHash } from '../../api/names.ts';
import { type RestoreSpec, RestoreSpecSchema } from '../../api/restore.ts';
import { stableJson } from '../../lib/stable-json.ts';

/**
 * What makes a Restore another one under the same name; marks in databases bear it for years. How long the replaced
 * database stays is no part of it. A default that a later version of us fills in is none either: the manifest that a GitOps
 * tool applies once more after an upgrade would be another one, and restore again.
 */
export function specHashOf({ keepPrevious: _, ...once }: RestoreSpec): string {
  return shortHash([stableJson(withoutLaterDefaults(RestoreSpecSchema as object, once, ''))]);
}

/** Those that the first marks were made with count for ever. No field is ever added here. */
const FIRST_DEFAULTS: ReadonlySet<string> = new Set([
  '.onConflict',
  '.scaleDown.timeout',
  '.scaleDown.workloads[].apiVersion',
  '.startDeadline',
  '.activeDeadlineSeconds',
  '.target.postgresql.tls.clientCertSecretRef.certKey',
  '.target.postgresql.tls.clientCertSecretRef.keyKey',
]);

/** Of a schema what is looked at here. */
interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly default?: unknown;
}

function withoutLaterDefaults(schema: Node | undefined, value: unknown, path: string): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutLaterDefaults(schema?.items, item, `${path}[]`));
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).flatMap(([name, field]) => {
    const [inner, place] = [schema?.properties?.[name], `${path}.${name}`];
    const isDefault = inner !== undefined && 'default' in inner && stableJson(field) === stableJson(inner.default);
    return isDefault && !FIRST_DEFAULTS.has(place) ? [] : [[name, withoutLaterDefaults(inner, field, place)]];
  });
  return Object.fromEntries(fields);
}
