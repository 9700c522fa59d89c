/** `status`: all kinds of a namespace; with --watch, as they change. */
import type { KubeObject } from '../api/kubernetes.ts';
import { KIND, type KindRef } from '../kube/kinds.ts';
import { Reflector } from '../kube/watch.ts';
import { EXIT, type Format } from './output.ts';
import type { Progress } from './progress.ts';
import { detailOf, isOver, phaseOf, type Run } from './run.ts';
import { RunnerLog } from './runner-log.ts';
import { type Cli, type CommonOptions, type Session, withSession } from './session.ts';
import { statusText, type World } from './status-text.ts';

export interface StatusOptions extends CommonOptions {
  readonly output?: Format;
  readonly watch?: boolean;
}

const RECENT = 5;

/** `-o wide` shows more of the past. */
const RECENT_WIDE = 50;

/** Many changes at once, as at the start, are one picture. */
const SETTLE_MS = 100;

/** So that ages and elapsed times move. */
const REDRAW_MS = 1_000;

export async function status(cli: Cli, options: StatusOptions): Promise<number> {
  return withSession(cli, options, async (session) => {
    const world = await lookAround(session);
    if (options.output === 'json' || options.output === 'yaml') {
      cli.output.objects({ apiVersion: 'v1', kind: 'List', items: Object.values(world).flat() }, options.output);
      return EXIT.ok;
    }
    if (options.watch !== true) {
      cli.output.data(textOf(cli, session, world, options, () => undefined));
      return EXIT.ok;
    }
    await (cli.output.isScreen ? watchOnScreen(cli, session, options) : watchAsLines(cli, session, world));
    return EXIT.ok;
  });
}

async function lookAround({ cluster, namespace }: Session): Promise<World> {
  const [stores, keys, schedules, backups, restores] = await Promise.all([
    cluster.list(KIND.backupStore, { namespace }),
    cluster.list(KIND.backupKey, { namespace }),
    cluster.list(KIND.backupSchedule, { namespace }),
    cluster.list(KIND.backup, { namespace }),
    cluster.list(KIND.restore, { namespace }),
  ]);
  return { stores, keys, schedules, backups, restores };
}

function textOf(
  cli: Cli,
  session: Session,
  world: World,
  options: StatusOptions,
  progressOf: (uid: string) => Progress | undefined,
): string {
  const head = `namespace ${session.namespace}${session.context === undefined ? '' : `, context ${session.context}`}`;
  const view = {
    now: cli.now(),
    paint: cli.output.paint,
    progressOf,
    recent: options.output === 'wide' ? RECENT_WIDE : RECENT,
  };
  return `${cli.output.paint('dim', head)}\n\n${statusText(world, view)}`;
}

/** Watches of all kinds, until Ctrl-C. `changed` is called after each change, with the object. */
function watchAll(
  cli: Cli,
  session: Session,
  changed: (object: KubeObject, type: string) => void,
): { world(): World; readonly ended: Promise<void>; stop(): Promise<void> } {
  const ended = Promise.withResolvers<void>();
  cli.signal.addEventListener('abort', () => ended.resolve(), { once: true });
  const watch = <T extends KubeObject>(kind: KindRef<T>) => {
    const reflector = new Reflector<T>(session.http, kind, {
      namespace: session.namespace,
      onChange: ({ object, type }) => changed(object, type),
      onRestart: (reason) => cli.output.say(`the connection broke (${reason}); trying again`),
      onFatal: (error) => ended.reject(error),
    });
    reflector.start();
    return reflector;
  };
  const stores = watch(KIND.backupStore);
  const keys = watch(KIND.backupKey);
  const schedules = watch(KIND.backupSchedule);
  const backups = watch(KIND.backup);
  const restores = watch(KIND.restore);
  const all = [stores, keys, schedules, backups, restores];
  return {
    ended: ended.promise,
    world: () => ({
      stores: stores.store.list(),
      keys: keys.store.list(),
      schedules: schedules.store.list(),
      backups: backups.store.list(),
      restores: restores.store.list(),
    }),
    async stop() {
      await Promise.all(all.map((reflector) => reflector.stop()));
    },
  };
}

async function watchOnScreen(cli: Cli, session: Session, options: StatusOptions): Promise<void> {
  const progress = new Map<string, Progress>();
  const logs = new Map<string, RunnerLog>();
  let pending: NodeJS.Timeout | undefined;
  const draw = () => {
    pending = undefined;
    const text = textOf(cli, session, watches.world(), options, (uid) => progress.get(uid));
    cli.output.screen(`${text}\n\n${cli.output.paint('dim', 'Ctrl-C ends this; what is at work goes on.')}`);
  };
  const soon = () => {
    pending ??= setTimeout(draw, SETTLE_MS);
  };
  const watches = watchAll(cli, session, (object, type) => {
    followLog(session, logs, progress, object, type);
    soon();
  });
  const timer = setInterval(soon, REDRAW_MS);
  try {
    await watches.ended;
  } finally {
    clearInterval(timer);
    clearTimeout(pending);
    // The last picture stays, below the command that asked for it.
    cli.output.leaveScreen();
    cli.output.data(textOf(cli, session, watches.world(), options, (uid) => progress.get(uid)));
    await Promise.all([watches.stop(), ...[...logs.values()].map((log) => log.stop())]);
  }
}

/** A log for each run that is at work, and none for those that are over. */
function followLog(
  session: Session,
  logs: Map<string, RunnerLog>,
  progress: Map<string, Progress>,
  object: KubeObject,
  type: string,
): void {
  if (object.kind !== KIND.backup.kind && object.kind !== KIND.restore.kind) return;
  const { uid } = object.metadata;
  const ended = type === 'deleted' || isOver(object as Run);
  const known = logs.get(uid);
  if (ended) {
    logs.delete(uid);
    progress.delete(uid);
    void known?.stop();
  } else if (known === undefined) {
    const log = new RunnerLog(session, uid, (heard) =>
      heard === undefined ? progress.delete(uid) : progress.set(uid, heard),
    );
    logs.set(uid, log);
    void log.start();
  }
}

/** For a file or a pipe: a line for each change of a phase or of what is waited for. */
async function watchAsLines(cli: Cli, session: Session, before: World): Promise<void> {
  const said = new Map<string, string>();
  for (const run of [...before.backups, ...before.restores]) if (isOver(run)) said.set(run.metadata.uid, lineOf(run));
  const watches = watchAll(cli, session, (object, type) => {
    if (object.kind !== KIND.backup.kind && object.kind !== KIND.restore.kind) return;
    const line = type === 'deleted' ? `${object.kind} ${object.metadata.name} deleted` : lineOf(object as Run);
    if (said.get(object.metadata.uid) === line) return;
    said.set(object.metadata.uid, line);
    cli.output.data(`${cli.now().toISOString().slice(0, 19)}Z ${line}`);
  });
  await watches.ended.finally(() => watches.stop());
}

function lineOf(run: Run): string {
  const detail = detailOf(run);
  return `${run.kind} ${run.metadata.name} ${phaseOf(run)}${detail === undefined ? '' : `: ${detail}`}`;
}
