/** Waits for a Backup or a Restore to be over, by watching it, and tells meanwhile how far it is. */

import { inKubectl } from '../api/meta.ts';
import type { KindRef } from '../kube/kinds.ts';
import { Reflector } from '../kube/watch.ts';
import { formatDuration } from '../lib/duration.ts';
import { HoldfastError } from '../lib/errors.ts';
import { podRefusal } from './pod-refusal.ts';
import { type Progress, progressLine } from './progress.ts';
import { detailOf, failureOf, hasFailed, isComplete, isOver, phaseOf, type Run, spanOf } from './run.ts';
import { RunnerLog } from './runner-log.ts';
import type { Cli, Session } from './session.ts';
import { harmless } from './style.ts';

/** So that the elapsed time moves. */
const REDRAW_MS = 500;

/** Where nothing can be rewritten, progress is told as often as this. */
const TELL_EVERY_MS = 30_000;

/** Resolves with the run once it is over, well or badly. Throws when it is deleted meanwhile, and on Ctrl-C, which stops only the waiting. */
export async function follow<T extends Run>(
  cli: Cli,
  session: Session,
  kind: KindRef<T>,
  begun: T,
  estimate?: number,
): Promise<T> {
  const teller = new Teller(cli, begun, estimate, (job) => podRefusal(session, job));
  const over = Promise.withResolvers<T>();
  const { uid, name } = begun.metadata;
  const log = new RunnerLog(session, uid, (progress) => teller.heard(progress));
  const watch = new Reflector<T>(session.http, kind, {
    namespace: session.namespace,
    onChange: ({ type, object }) => {
      if (object.metadata.uid !== uid) return;
      if (type === 'deleted') over.reject(gone(kind.kind, name));
      teller.saw(object);
      if (isOver(object)) over.resolve(object);
    },
    onRestart: (reason) => cli.output.warn(`the connection broke (${reason}); trying again`),
    onFatal: (error) => over.reject(error),
  });
  const left = () => over.reject(stillAtWork(kind.kind, name));
  cli.signal.addEventListener('abort', left, { once: true });
  watch.start();
  void log.start();
  try {
    return await over.promise;
  } finally {
    cli.signal.removeEventListener('abort', left);
    teller.stop();
    await Promise.all([watch.stop(), log.stop()]);
  }
}

/** What is said in the end, and the exit code that goes with it. */
export function verdictOn(cli: Cli, kind: string, run: Run): boolean {
  const { output } = cli;
  const { name } = run.metadata;
  const took = formatDuration(spanOf(run, cli.now()));
  if (isComplete(run)) {
    const complete = run.status?.conditions?.find(({ type }) => type === 'Complete');
    output.say(
      `${output.paintTalk('green', 'Complete')} after ${took}: ${kind} ${name}${complete?.message ? `, ${complete.message}` : ''}`,
    );
    return true;
  }
  const failure = failureOf(run);
  output.failure({
    message: `${kind} ${name} failed after ${took}: ${failure.reason}: ${failure.message}`,
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
  });
  return !hasFailed(run);
}

class Teller {
  private readonly cli: Cli;
  private readonly estimate: number | undefined;
  private run: Run;
  private progress: Progress | undefined;
  private said = '';
  private waitsFor = '';
  private toldAt = 0;
  private readonly refusalOf: (job: string) => Promise<string | undefined>;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(cli: Cli, run: Run, estimate: number | undefined, refusalOf: Teller['refusalOf']) {
    this.cli = cli;
    this.refusalOf = refusalOf;
    this.run = run;
    this.estimate = estimate;
    this.timer = cli.output.moving ? setInterval(() => this.draw(), REDRAW_MS) : undefined;
  }

  saw(run: Run): void {
    this.run = run;
    if (!isOver(run)) {
      if (!this.cli.output.moving) this.sayState(run);
      this.sayNextStep(run);
    }
    if (this.cli.output.moving) this.draw();
  }

  heard(progress: Progress | undefined): void {
    this.progress = progress;
    if (this.cli.output.moving) this.draw();
    else if (progress !== undefined) this.sayProgress();
  }

  private sayState(run: Run): void {
    const state = [phaseOf(run), detailOf(run)].filter((part) => part !== undefined).join(': ');
    if (state !== this.said) this.cli.output.say(harmless(state));
    this.said = state;
  }

  /** Once for each thing that is waited for. The moving line has no room for it. */
  private sayNextStep(run: Run): void {
    const { failure, jobName } = run.status ?? {};
    if (failure === undefined || failure.reason === this.waitsFor) return;
    this.waitsFor = failure.reason;
    const { output } = this.cli;
    if (output.moving) output.say(harmless(`${phaseOf(run)}: ${failure.reason}: ${failure.message}`));
    if (failure.hint !== undefined) output.say(`${output.paintTalk('cyan', 'next:')}  ${harmless(failure.hint)}`);
    if (failure.reason === 'PodNotCreated' && jobName !== undefined) void this.sayRefusal(jobName);
  }

  private async sayRefusal(job: string): Promise<void> {
    const refusal = await this.refusalOf(job);
    if (refusal !== undefined) this.cli.output.say(`why:   ${harmless(refusal)}`);
  }

  private sayProgress(): void {
    const at = this.cli.now().getTime();
    if (at - this.toldAt < TELL_EVERY_MS) return;
    this.toldAt = at;
    this.cli.output.say(this.line());
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private draw(): void {
    this.cli.output.progress(this.line());
  }

  private line(): string {
    return progressLine({ run: this.run, progress: this.progress, estimate: this.estimate }, this.cli.now());
  }
}

function gone(kind: string, name: string): HoldfastError {
  return new HoldfastError('Deleted', `${kind} "${name}" was deleted while it was waited for.`, {
    hint: 'Whoever deleted it knows why: kubectl get events.',
  });
}

function stillAtWork(kind: string, name: string): HoldfastError {
  return new HoldfastError('Interrupted', `No longer waiting; ${kind} "${name}" goes on in the cluster.`, {
    hint: `Look at it with: kubectl holdfast status --watch. To stop it: kubectl delete ${inKubectl(kind)} ${name}`,
  });
}
