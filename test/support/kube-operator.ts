/** An operator in the test's own process, with the controllers that the test brings, behind a proxy. */
import type { KubeObject } from '../../src/api/kubernetes.ts';
import type { ScalableKind } from '../../src/api/workloads.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { Operator, type PassReport } from '../../src/controllers/operator.ts';
import { KubeCluster } from '../../src/kube/client.ts';
import { Http } from '../../src/kube/http.ts';
import type { Refusal } from '../../src/kube/watch-group.ts';
import { Watches } from '../../src/kube/watches.ts';
import { now } from '../../src/platform/clock.ts';
import { type ApiProxy, speakingFor } from './api-proxy.ts';

export interface TestOperator {
  readonly watches: Watches;
  readonly passes: PassReport[];
  readonly bugs: unknown[];
  /** What was said of namespaces, in order. */
  readonly refusals: Refusal[];
  readonly served: string[];
  /** From an own list on; as after an election. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const SETTINGS = {
  clusterName: 'test',
  namespace: 'holdfast-system',
  runner: { image: 'localhost/runner:test', imagePullPolicy: 'Never' },
  drill: { image: 'localhost/postgres:{major}', runAsUser: 65532 },
} as const;

export interface Confined {
  /** The only namespaces that it watches. */
  readonly namespaces: readonly string[];
  /** Who it is to the API server. */
  readonly user: string;
}

export function testOperator(
  proxy: ApiProxy,
  controllers: readonly AnyController[],
  clock: () => Date = now,
  confined?: Confined,
  scalableKinds: readonly ScalableKind[] = [],
): TestOperator {
  const credentials =
    confined === undefined ? proxy.credentials : { ...proxy.credentials, access: speakingFor(confined.user) };
  const http = new Http(credentials, { timeout: 3_000, connections: Number.POSITIVE_INFINITY });
  const passes: PassReport[] = [];
  const bugs: unknown[] = [];
  const refusals: Refusal[] = [];
  const served: string[] = [];
  const onFatal = (error: unknown) => bugs.push(error);
  const watches: Watches = new Watches(http, {
    ...(confined === undefined ? {} : { only: { namespaces: confined.namespaces, home: SETTINGS.namespace } }),
    onRefused: (refusal) => refusals.push(refusal),
    onServed: (namespace) => served.push(namespace),
    patience: 400,
    onChange: (change) => operator.onChange(change),
    onRestart: () => undefined,
    onFatal,
    timings: { backoff: { base: 20, cap: 200 } },
  });
  const tools = {
    world: { stores: watches.stores, cluster: new KubeCluster(http), settings: { ...SETTINGS, scalableKinds } },
    learn: (object: KubeObject) => watches.learn(object),
    now: clock,
    onTrouble: () => undefined,
    settled: new Map<string, string>(),
  };
  const backoff = { base: 50, cap: 500 };
  const operator: Operator = new Operator({
    controllers,
    tools,
    watches,
    backoff,
    onPass: (report) => passes.push(report),
    onFatal,
  });
  return {
    watches,
    passes,
    bugs,
    refusals,
    served,
    async start() {
      watches.start();
      await watches.refresh();
      operator.start();
    },
    async stop() {
      await operator.stop(5_000);
      await watches.stop();
      http.close();
    },
  };
}
