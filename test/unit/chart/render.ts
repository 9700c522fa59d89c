/** The chart as Helm itself renders it. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { CommandFailed, run } from '../../cluster/command.ts';
import { program } from '../../cluster/programs.ts';
import { tempDir } from '../../cluster/temp-dir.ts';

export const CHART = join(import.meta.dirname, '..', '..', '..', 'helm', 'holdfast');

/** Helm asks no cluster when it only renders, so it must be told what to render for. */
const KUBERNETES = '1.36.3';

export interface Manifest {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

interface RenderOptions {
  readonly release?: string;
  readonly kubernetes?: string;
  /** As of a file given with --values, where `--set` would be clumsy. */
  readonly file?: object;
  /** Only these templates. */
  readonly show?: readonly string[];
  readonly chart?: string;
}

/** The text of all manifests for these values; rejects with what Helm complains about. */
export async function renderText(
  values: Readonly<Record<string, string>>,
  options: RenderOptions = {},
): Promise<string> {
  const set = Object.entries(values).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const file = options.file === undefined ? [] : ['--values', '-'];
  const show = (options.show ?? []).flatMap((template) => ['--show-only', template]);
  return run(
    await program('helm'),
    [
      ...['template', options.release ?? 'holdfast', options.chart ?? CHART, '--namespace', 'holdfast-system'],
      ...['--kube-version', options.kubernetes ?? KUBERNETES, ...file, ...set, ...show],
    ],
    options.file === undefined ? {} : { input: JSON.stringify(options.file) },
  );
}

export async function render(...args: Parameters<typeof renderText>): Promise<readonly Manifest[]> {
  return parseAllDocuments(await renderText(...args)).map((document) => document.toJS() as Manifest);
}

/** All that Helm says of values that it refuses. */
export async function refusal(...args: Parameters<typeof renderText>): Promise<string> {
  try {
    await renderText(...args);
  } catch (error) {
    if (error instanceof CommandFailed) return error.stderr;
    throw error;
  }
  throw new Error('the values were not refused');
}

/** What Helm shows after an install, which `helm template` leaves out: so a copy of the chart has it in a template. */
export function notes(file: object): Promise<string> {
  return withCopy(async (chart) => {
    const text = await readFile(join(chart, 'templates', 'NOTES.txt'), 'utf8');
    await writeFile(join(chart, 'templates', '_notes.tpl'), `{{- define "notes" -}}\n${text}{{- end -}}\n`);
    const show = 'templates/notes.yaml';
    await writeFile(join(chart, show), 'notes: {{ include "notes" . | toJson }}\n');
    return (parse(await renderText({}, { file, chart, show: [show] })) as { notes: string }).notes;
  });
}

/** As `helm upgrade --reuse-values` renders: with the values of the release before, and none of this chart's own. */
export function renderReusing(values: object): Promise<string> {
  return withCopy(async (chart) => {
    await writeFile(join(chart, 'values.yaml'), JSON.stringify(values));
    return await renderText({}, { chart });
  });
}

async function withCopy<T>(use: (chart: string) => Promise<T>): Promise<T> {
  const folder = await tempDir('chart');
  try {
    const chart = join(folder, 'holdfast');
    await cp(CHART, chart, { recursive: true });
    return await use(chart);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The only manifest of that kind whose name ends like this. */
export function only(manifests: readonly Manifest[], kind: string, ending = ''): Manifest {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata.name.endsWith(ending));
  const [first] = found;
  if (first === undefined || found.length > 1) throw new Error(`${found.length} manifests of ${kind} *${ending}`);
  return first;
}
