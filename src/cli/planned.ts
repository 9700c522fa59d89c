/** `restore --plan`: the operator's own plan, by a Restore that stops after it and is gone again. */
import type { Restore } from '../api/restore.ts';
import { isNotFound } from '../kube/errors.ts';
import { KIND } from '../kube/kinds.ts';
import { messageOf } from '../lib/errors.ts';
import { follow } from './follow.ts';
import { EXIT } from './output.ts';
import { plannedText } from './planned-text.ts';
import { isComplete } from './run.ts';
import type { Cli, Session } from './session.ts';

export interface PlanOptions {
  readonly plan?: boolean;
  /** The Restore stays. */
  readonly keep?: boolean;
  readonly output?: 'json' | 'yaml';
}

/** Whatever comes of it, also Ctrl-C, the Restore goes; what was lent to it is owned by it and goes too. */
export async function showPlan(cli: Cli, session: Session, made: Restore, options: PlanOptions): Promise<number> {
  const { output } = cli;
  try {
    const ended = await follow(cli, session, KIND.restore, made);
    if (options.output === undefined) output.data(plannedText(ended));
    else output.objects(ended, options.output);
    return isComplete(ended) ? EXIT.ok : EXIT.failed;
  } finally {
    if (options.keep === true) output.say(`restore.holdfast.dev/${made.metadata.name} stays (--keep)`);
    else await remove(cli, session, made);
  }
}

async function remove(cli: Cli, session: Session, { metadata }: Restore): Promise<void> {
  const { namespace, name, uid } = metadata;
  try {
    await session.cluster.delete(KIND.restore, { namespace, name, uid });
  } catch (caught) {
    if (isNotFound(caught)) return;
    cli.output.warn(
      `the Restore ${name}, a dry run, is still there (${messageOf(caught)}). Remove it: kubectl -n ${namespace} delete restore.holdfast.dev ${name}`,
    );
  }
}
