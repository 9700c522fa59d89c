/** What could come next on the command line, in the form that kubectl asks of a plugin (Cobra's): a line each, then `:` and a directive. */
import type { Command, Option } from 'commander';
import type { KubeObject } from '../api/kubernetes.ts';
import type { Restore } from '../api/restore.ts';
import { KIND, type KindRef } from '../kube/kinds.ts';
import { type Cli, type CommonOptions, withSession } from './session.ts';
import { keepsSomething } from './undo-plan.ts';

/** Cobra's directives: complete file names; complete nothing else. */
const FILES = ':0';
const NOTHING_ELSE = ':4';

/** What is named; `fits`: which of them. */
interface Offer {
  readonly kind: KindRef<KubeObject>;
  readonly fits?: (object: KubeObject) => boolean;
}

const OFFERS = {
  backup: { kind: KIND.backup },
  schedule: { kind: KIND.backupSchedule },
  key: { kind: KIND.backupKey },
  undoable: { kind: KIND.restore, fits: (object) => keepsSomething(object as Restore) },
} as const satisfies Readonly<Record<string, Offer>>;
type Named = keyof typeof OFFERS;

/** Which names stand where: the argument of a command, the value of an option. */
const ARGUMENTS: Readonly<Record<string, Named>> = {
  restore: 'backup',
  undo: 'undoable',
  drill: 'backup',
  inspect: 'backup',
  'schedule next': 'schedule',
  'key export': 'key',
};
const VALUES: Readonly<Record<string, Named>> = {
  '--from': 'schedule',
  '--like': 'backup',
  '--latest': 'schedule',
  '--schedule': 'schedule',
};

export type Suggestions = { readonly words: readonly string[] } | { readonly files: true } | { readonly names: Named };

/** Pure. `words` are those after the program's name; the last one is being typed. */
export function suggest(program: Command, words: readonly string[]): Suggestions {
  const typed = words.slice(0, -1);
  const { command, path, given } = descend(program, typed);
  const last = typed.at(-1) ?? '';
  const option = optionsOf(command).find((each) => each.long === last || each.short === last);
  if (option?.required === true) return valuesOf(option);
  const current = words.at(-1) ?? '';
  if (current.startsWith('-'))
    return { words: optionsOf(command).flatMap(({ long, hidden }) => (long && !hidden ? [long] : [])) };
  const subcommands = command.commands.filter((each) => !each.name().startsWith('_')).map((each) => each.name());
  if (subcommands.length > 0) return { words: subcommands };
  const names = ARGUMENTS[path.join(' ')];
  if (names !== undefined && given === 0) return { names };
  const choices = command.registeredArguments[given]?.argChoices;
  return { words: choices ?? [] };
}

function valuesOf(option: Option): Suggestions {
  if (option.argChoices !== undefined) return { words: option.argChoices };
  const names = VALUES[option.long ?? ''];
  if (names !== undefined) return { names };
  return /file/i.test(option.flags) ? { files: true } : { words: [] };
}

/** The command that the words lead to, and how many arguments of it stand already. */
function descend(program: Command, typed: readonly string[]): { command: Command; path: string[]; given: number } {
  let command = program;
  const path: string[] = [];
  let given = 0;
  for (let index = 0; index < typed.length; index += 1) {
    const word = typed[index] ?? '';
    if (word.startsWith('-')) {
      const option = optionsOf(command).find((each) => each.long === word || each.short === word);
      if (option?.required === true) index += 1;
      continue;
    }
    const next = command.commands.find((each) => each.name() === word);
    if (next === undefined) given += 1;
    else {
      command = next;
      path.push(word);
    }
  }
  return { command, path, given };
}

function optionsOf(command: Command): readonly Option[] {
  return [...command.options, ...(command.parent === null ? [] : optionsOf(command.parent))];
}

/** A person who presses Tab does not wait longer. */
const PATIENCE_MS = 2_000;

export async function complete(cli: Cli, program: Command, words: readonly string[]): Promise<void> {
  const suggestions = suggest(program, words);
  const current = words.at(-1) ?? '';
  if ('files' in suggestions) return cli.output.data(FILES);
  const known = 'words' in suggestions ? suggestions.words : await namesOf(cli, suggestions.names, words);
  cli.output.data([...known.filter((word) => word.startsWith(current)), NOTHING_ELSE].join('\n'));
}

/** Trouble is no answer here: a shell has no place to show it. */
async function namesOf(cli: Cli, named: Named, words: readonly string[]): Promise<string[]> {
  const names = withSession(cli, commonOf(words), async (session) => {
    const { kind, fits = () => true }: Offer = OFFERS[named];
    const found = await session.cluster.list(kind, { namespace: session.namespace });
    return found.filter(fits).map(({ metadata }) => metadata.name);
  }).catch(() => []);
  const late = new Promise<string[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref());
  return Promise.race([names, late]);
}

/** Of a line that is not whole yet, which no parser would take. */
function commonOf(words: readonly string[]): CommonOptions {
  const valueAfter = (...flags: string[]) =>
    words.slice(0, -1).find((_, index) => flags.includes(words[index - 1] ?? ''));
  const [namespace, kubeconfig, context] = [
    valueAfter('-n', '--namespace'),
    valueAfter('--kubeconfig'),
    valueAfter('--context'),
  ];
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    ...(context === undefined ? {} : { context }),
  };
}
