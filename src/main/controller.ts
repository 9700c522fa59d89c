/** The operator: reads its environment, builds the parts, starts them, and stops them in order. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { CONTROLLERS } from '../controllers/all.ts';
import { Operator, type PassReport } from '../controllers/operator.ts';
import type { Tools } from '../controllers/reconcile.ts';
import { KubeCluster } from '../kube/client.ts';
import { findCredentials } from '../kube/credentials.ts';
import { Http } from '../kube/http.ts';
import { LeaderElection } from '../kube/leader.ts';
import { Watches } from '../kube/watches.ts';
import { toHoldfastError } from '../lib/errors.ts';
import { newHealthServer } from '../observability/health.ts';
import { type Logger, newLogger } from '../observability/log.ts';
import { type Metrics, newMetrics } from '../observability/metrics.ts';
import { now } from '../platform/clock.ts';
import { onTermination, onUncaught } from '../platform/signals.ts';
import { type OperatorConfig, operatorConfig } from './operator-config.ts';
import { refusalReport, refusedText, unready } from './watched-namespaces.ts';

/** Passes under way get this long to end after SIGTERM; the pod's grace period is longer. */
const DRAIN = 10_000;

/** A renewal that takes longer is worth nothing: the next one must have its turn before the deadline. */
const LEASE_CALL_TIMEOUT = 4_000;

/** A watch tries, hears or waits for something at least this often, whatever the API server does. */
const STUCK_AFTER = 300_000;

/** Exit code of a process that must not go on; the kubelet starts it again. */
const BROKEN = 1;

/** Connected parts of one operator process. */
interface Parts {
  readonly operator: Operator;
  readonly watches: Watches;
  readonly leader: LeaderElection;
  readonly metrics: Metrics;
  readonly close: () => void;
}

async function main(): Promise<void> {
  const config = configOrExit();
  const log = newLogger(config.logLevel);
  const fatal = fatalTo(log);
  onUncaught(fatal);
  const parts = await build(config, log, fatal);
  const server = newHealthServer({
    unhealthy: () => (parts.watches.idleFor() > STUCK_AFTER ? 'a watch is stuck' : undefined),
    unready: () => unready(parts.watches, config),
    remark: () => refusedText(parts.watches),
    metrics: () => parts.metrics.registry.metrics(),
  });
  server.listen(config.port);
  await once(server, 'listening');
  const { settings, namespaces } = config;
  log.info(
    { port: portOf(server.address()), ...settings, watches: namespaces.length > 0 ? namespaces : 'all' },
    'started',
  );
  onTermination((signal) => {
    log.info({ signal }, 'stopping');
    server.close();
    stop(parts, log).then(() => process.exit(0), fatal);
  });
  parts.watches.start();
  parts.leader.start();
}

async function build(config: OperatorConfig, log: Logger, fatal: (error: unknown) => void): Promise<Parts> {
  const credentials = await findCredentials(process.env);
  const http = new Http(credentials);
  const leaseHttp = new Http(credentials, { timeout: LEASE_CALL_TIMEOUT });
  // Each watch holds a connection for as long as it lasts: among the others' they would leave none for a call.
  const watchHttp = new Http(credentials, { connections: Number.POSITIVE_INFINITY });
  const identity = `${hostname()}_${randomUUID()}`;
  const leader: LeaderElection = new LeaderElection(new KubeCluster(leaseHttp), {
    namespace: config.settings.namespace,
    identity,
    onElected: () => void lead().catch(fatal),
    onLost: (reason) => fatal(new Error(`no longer the leader: ${reason}`)),
    onTrouble: (message) => log.warn({ message }, 'leader election'),
  });
  const { namespaces } = config;
  const home = config.settings.namespace;
  const watches: Watches = new Watches(watchHttp, {
    ...(namespaces.length === 0 ? {} : { only: { namespaces, home } }),
    onChange: (change) => operator.onChange(change),
    onRestart: (kind, reason, namespace) => {
      metrics.watchRestarted(kind);
      log.warn({ kind, namespace, reason }, 'a watch begins anew');
    },
    onRefused: (refusal) => log.warn(refusalReport(refusal), 'goes on without a namespace'),
    onServed: (namespace) => log.info({ namespace }, 'looks at the namespace again'),
    onFatal: fatal,
  });
  const cluster = new KubeCluster(http, { mayWrite: () => leader.mustHold(), reporter: identity });
  const tools: Tools = {
    world: { stores: watches.stores, cluster, settings: config.settings },
    learn: (object) => watches.learn(object),
    now,
    onTrouble: (what, error) => log.warn({ what, error }, 'went on without it'),
    settled: new Map(),
  };
  const operator: Operator = new Operator({
    controllers: CONTROLLERS,
    tools,
    watches,
    onPass: (report) => passed(report),
    onFatal: fatal,
  });
  const metrics: Metrics = newMetrics({
    backups: () => watches.stores.backups.list(),
    restores: () => watches.stores.restores.list(),
    queues: () => operator.depths(),
    isLeader: () => leader.isLeader(),
    namespaces: () => namespaces.map((namespace) => ({ namespace, watched: !watches.refused().includes(namespace) })),
  });
  const passed = (report: PassReport) => {
    metrics.pass(report);
    const { error, ...rest } = report;
    if (error === undefined) log.debug(rest, 'looked');
    else log.warn({ ...rest, reason: error.reason, error: error.cause }, 'tried again later');
  };
  const lead = async () => {
    log.info({ identity }, 'leads');
    // What the leader before wrote last may not have reached the copies yet.
    await watches.refresh();
    operator.start();
  };
  const close = () => {
    http.close();
    leaseHttp.close();
    watchHttp.close();
  };
  return { operator, watches, leader, metrics, close };
}

/** The Lease goes last: as long as a write may be under way, nobody else may begin. */
async function stop({ operator, watches, leader, close }: Parts, log: Logger): Promise<void> {
  const ended = await operator.stop(DRAIN);
  if (!ended) log.warn('passes that were under way did not end in time; the next leader repeats them');
  await leader.release();
  await watches.stop();
  close();
  log.info('stopped');
}

/** The one way out for what must not go on. It ends the process in this very call: not one more write. */
function fatalTo(log: Logger): (error: unknown) => void {
  return (error) => {
    try {
      log.fatal({ error }, 'ends');
    } finally {
      process.exit(BROKEN);
    }
  };
}

function configOrExit(): OperatorConfig {
  try {
    return operatorConfig(process.env);
  } catch (error) {
    const { message, hint } = toHoldfastError(error);
    newLogger('info').fatal({ hint }, message);
    process.exit(BROKEN);
  }
}

function portOf(address: ReturnType<import('node:net').Server['address']>): number | undefined {
  return address !== null && typeof address === 'object' ? address.port : undefined;
}

await main();
