/** A {@link ScalingScene} on an API server of its own, with an operator that has the rights which the chart gives it. */
import type { ScalableKind } from '../../src/api/workloads.ts';
import type { AnyController } from '../../src/controllers/controller.ts';
import { Http } from '../../src/kube/http.ts';
import { type ApiServer, upApiServer } from '../cluster/api-server.ts';
import { type ApiProxy, startApiProxy } from './api-proxy.ts';
import { chartAccount } from './kube-account.ts';
import { installKinds } from './kube-crds.ts';
import { type TestOperator, testOperator } from './kube-operator.ts';
import { ScalingScene } from './kube-scaling-scene.ts';

export interface ScalingWorld extends AsyncDisposable {
  readonly server: ApiServer;
  /** What the operator asks goes through it. */
  readonly proxy: ApiProxy;
  readonly operator: TestOperator;
  readonly scene: ScalingScene;
}

interface Wishes {
  /** What the chart is told. */
  readonly values?: Readonly<Record<string, string>>;
  readonly scalableKinds?: readonly ScalableKind[];
  /** What is there before the operator is. */
  prepare?(scene: ScalingScene, server: ApiServer): Promise<void>;
}

export async function scalingWorld(
  controllers: readonly AnyController[],
  { values, scalableKinds, prepare }: Wishes = {},
): Promise<ScalingWorld> {
  await using begun = new AsyncDisposableStack();
  const server = await upApiServer();
  begun.defer(() => server.stop());
  await installKinds(server.kubeconfig);
  const proxy = await startApiProxy(server.kubeconfig);
  begun.defer(() => proxy.stop());
  const http = new Http(proxy.credentials);
  begun.defer(() => http.close());
  const scene = new ScalingScene(server.kubeconfig, http);
  begun.defer(() => scene.close());
  await scene.open();
  await prepare?.(scene, server);
  const confined = { namespaces: ['shop'], user: await chartAccount(server.kubeconfig, 'holdfast', values) };
  const operator = testOperator(proxy, controllers, undefined, confined, scalableKinds);
  begun.defer(() => operator.stop());
  await operator.start();
  const all = begun.move();
  return { server, proxy, operator, scene, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
