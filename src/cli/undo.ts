/** `undo`: says what is going to happen, asks, makes a Restore `from.previousOf`, and follows it. */
import { API_VERSION } from '../api/meta.ts';
import type { Restore, RestoreSpec } from '../api/restore.ts';
import { KIND } from '../kube/kinds.ts';
import { HoldfastError } from '../lib/errors.ts';
import { freshName, withoutStamp } from './names.ts';
import { EXIT } from './output.ts';
import { ask, canAsk } from './prompt.ts';
import { asItIs, end } from './restore.ts';
import { type Cli, type CommonOptions, type NewThing, type Session, withSession } from './session.ts';
import { mustBeUndoable, type UndoFacts, undoText } from './undo-plan.ts';
import { mustBeValid } from './validate.ts';
import { parseWorkload } from './workload-argument.ts';

export interface UndoOptions extends CommonOptions {
  readonly name?: string;
  readonly scaleDown?: readonly string[];
  readonly keepPrevious?: string;
  readonly yes?: boolean;
  readonly wait?: boolean;
  readonly dryRun?: boolean;
  readonly output?: 'json' | 'yaml';
}

type NewUndo = NewThing & { readonly spec: RestoreSpec };

export async function undo(cli: Cli, name: string, options: UndoOptions): Promise<number> {
  return withSession(cli, options, async (session) => {
    const undone = await session.find(KIND.restore, name);
    const wanted = undoObject(undone, session.namespace, cli.now(), options);
    mustBeValid(wanted);
    const plan = await gather(session, undone, wanted.spec);
    mustBeUndoable(plan);
    cli.output.say(undoText(plan, cli.now()));
    if (options.dryRun === true) {
      cli.output.objects(wanted, options.output ?? 'yaml');
      return EXIT.ok;
    }
    await confirm(cli, undone, options);
    const made = await session.create<Restore>(KIND.restore, wanted);
    return follow(cli, session, made, options);
  });
}

/** With `-o` standard output is one object: as it is in the end where that is waited for, else as it was made. */
async function follow(cli: Cli, session: Session, made: Restore, options: UndoOptions): Promise<number> {
  const { name } = made.metadata;
  if (options.output === undefined) cli.output.data(`restore.holdfast.dev/${name} created`);
  const code = await end(cli, session, made, undefined, options);
  if (options.output !== undefined) {
    const last = options.wait === true ? await session.cluster.get(KIND.restore, made.metadata) : undefined;
    cli.output.objects(last ?? made, options.output);
  }
  return code;
}

/** The workloads of the restore that is undone are those that must not write meanwhile, unless somebody knows better. */
function undoObject({ metadata, spec }: Restore, namespace: string, now: Date, options: UndoOptions): NewUndo {
  const workloads = options.scaleDown?.map(parseWorkload);
  const scaleDown = workloads === undefined ? spec.scaleDown : { ...spec.scaleDown, workloads };
  const keepPrevious = options.keepPrevious ?? spec.keepPrevious;
  return {
    apiVersion: API_VERSION,
    kind: 'Restore',
    metadata: { name: options.name ?? freshName(`undo-${headOf(metadata.name)}`, now), namespace },
    spec: {
      from: { previousOf: { restoreRef: { name: metadata.name } } },
      ...(scaleDown === undefined ? {} : { scaleDown }),
      ...(keepPrevious === undefined ? {} : { keepPrevious }),
    },
  };
}

/** So that the name of an undo of an undo does not grow. */
function headOf(name: string): string {
  return withoutStamp(name).replace(/^undo-/, '');
}

async function gather(session: Session, undone: Restore, spec: RestoreSpec): Promise<UndoFacts> {
  const { namespace } = session;
  const [workloads, others] = await Promise.all([
    Promise.all((spec.scaleDown?.workloads ?? []).map((workload) => asItIs(session, workload))),
    session.cluster.list(KIND.restore, { namespace }),
  ]);
  return { undone, spec, workloads, namespace, others };
}

async function confirm(cli: Cli, { metadata, status }: Restore, options: UndoOptions): Promise<void> {
  if (options.yes === true) return;
  const target = status?.target?.postgresql;
  const [what, name] =
    target === undefined
      ? ['Restore to undo', metadata.name]
      : target.database === undefined
        ? ['host whose databases are replaced', target.host]
        : ['database that is replaced', target.database];
  if (!canAsk(cli)) {
    throw new HoldfastError(
      'NotConfirmed',
      'An undo asks before it begins, and there is nobody to ask: standard input is no terminal.',
      { hint: 'Give --yes.' },
    );
  }
  cli.output.say('');
  const answer = await ask(cli, `Type the name of the ${what} (${name}): `);
  if (answer !== name) throw new HoldfastError('NotConfirmed', `"${answer}" is not "${name}". Nothing was done.`);
}
