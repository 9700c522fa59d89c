/** The chart as Helm itself renders it. */
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { run } from '../../cluster/command.ts';
import { program } from '../../cluster/programs.ts';

export const CHART = join(import.meta.dirname, '..', '..', '..', 'helm', 'holdfast');

/** Helm asks no cluster when it only renders, so it must be told what to render for. */
const KUBERNETES = '1.36.3';

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

/** The text of all manifests for these values; rejects with what Helm complains about. */
export async function renderText(
  values: Readonly<Record<string, string>>,
  options: { readonly release?: string; readonly kubernetes?: string } = {},
): Promise<string> {
  const release = options.release ?? 'holdfast';
  const set = Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  return run(await program('helm'), [
    ...['template', release, CHART, '--namespace', 'holdfast-system'],
    ...['--kube-version', options.kubernetes ?? KUBERNETES, ...set],
  ]);
}

export async function render(...args: Parameters<typeof renderText>): Promise<readonly Manifest[]> {
  return parseAllDocuments(await renderText(...args)).map((document) => document.toJS() as Manifest);
}

/** The only manifest of that kind whose name ends like this. */
export function only(manifests: readonly Manifest[], kind: string, ending = ''): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name.endsWith(ending));
  const [first] = found;
  if (first === undefined || found.length > 1) throw new Error(`${found.length} manifests of ${kind} *${ending}`);
  return first;
}
