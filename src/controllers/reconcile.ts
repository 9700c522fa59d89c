import type { KubeObject, ObjectReference } from '../api/kubernetes.ts';
import type { Version } from '../kube/cluster.ts';
import { isConflict, isNotFound } from '../kube/errors.ts';
import type { KindRef } from '../kube/kinds.ts';
import { HoldfastError, toHoldfastError } from '../lib/errors.ts';
import { stableJson } from '../lib/stable-json.ts';
import type { Action } from './action.ts';
import { apply, type Target } from './apply.ts';
import type { Controller, World } from './controller.ts';
import { type Told, transitions } from './events.ts';

/** What a pass works with. */
export interface Tools {
  readonly world: World;
  /** Takes the API server's answer to a write into the local copy. */
  readonly learn: (object: KubeObject) => void;
  readonly now: () => Date;
  /** Told of what went wrong without consequence. */
  readonly onTrouble: (what: string, error: unknown) => void;
  /** By UID: the status that the API server took without a change, and the resourceVersion that it then had. */
  readonly settled: Map<string, string>;
}

type WithStatus = KubeObject & { readonly status?: object };

/** So often a passing trouble of the API may stop the actions in a row before the status tells of it. */
const SILENT_FAILURES = 3;

/**
 * One pass over one object: observe → decide → apply → status.
 *
 * Returns the decision's `requeueAfter`; throws what stopped it. Nothing is done on the word of a copy that is behind:
 * before the first action the object itself is asked for, and status and finalizers carry its uid and resourceVersion.
 */
export async function reconcile<T extends WithStatus, Facts, Status extends object>(
  controller: Controller<T, Facts, Status>,
  object: T,
  failuresBefore: number,
  tools: Tools,
): Promise<number | undefined> {
  const facts = await controller.observe(tools.world, object);
  if (facts === undefined) return undefined;
  const decision = controller.decide(facts, tools.now());
  const pass = new Pass(controller.kind, object, tools);
  const told = eventsOf(decision.actions);
  try {
    await pass.actInRows(decision.rows ?? []);
    await pass.act(decision.actions);
  } catch (error) {
    const failure = toHoldfastError(error);
    const worthTelling = failure.outlook === 'final' || (failuresBefore >= SILENT_FAILURES && !isConflict(error));
    if (decision.statusOnFailure !== undefined && worthTelling) {
      await pass.writeStatus(decision.statusOnFailure(failure.toFailure()), []);
    }
    throw error;
  }
  if (decision.status === undefined) await pass.tell(told);
  else await pass.writeStatus(decision.status, told);
  await pass.act(decision.afterStatus ?? []);
  return decision.requeueAfter;
}

function eventsOf(actions: readonly Action[]): Told[] {
  return actions.flatMap((action) => (action.action === 'event' ? [action] : []));
}

/** The writes of one pass. Each moves the object's version on, so that the next one's precondition holds. */
class Pass<T extends WithStatus> {
  private readonly kind: KindRef<T>;
  private readonly object: T;
  private readonly tools: Tools;
  private readonly target: Target;
  private isFresh = false;

  constructor(kind: KindRef<T>, object: T, tools: Tools) {
    this.kind = kind;
    this.object = object;
    this.tools = tools;
    this.target = { kind, version: versionOf(object), finalizers: object.metadata.finalizers ?? [] };
  }

  async act(actions: readonly Action[]): Promise<void> {
    const { cluster } = this.tools.world;
    for (const action of actions) {
      if (action.action === 'event') continue;
      await this.refuseStale();
      await apply(action, this.target, { cluster, learn: this.tools.learn });
    }
  }

  async actInRows(rows: readonly (readonly Action[])[]): Promise<void> {
    const failures: unknown[] = [];
    for (const row of rows) {
      await this.refuseStale();
      try {
        await this.act(row);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw together(failures);
  }

  /** The status as a whole, if it is another one; the events before it, so that no crash can swallow them. */
  async writeStatus(status: object, told: readonly Told[]): Promise<void> {
    const wanted = stableJson(status);
    const { uid, resourceVersion } = this.target.version;
    if (wanted === stableJson(this.object.status ?? {})) return;
    if (this.tools.settled.get(uid) === `${resourceVersion} ${wanted}`) return;
    const { cluster } = this.tools.world;
    await this.tell([...told, ...transitions(this.object.status, status, told)]);
    try {
      const answer = await cluster.applyStatus(this.kind, this.target.version, status);
      this.took(answer, wanted);
    } catch (error) {
      // Gone meanwhile, perhaps by the finalizer that this very pass removed.
      if (!isNotFound(error)) throw error;
    }
  }

  private took(answer: T, wanted: string): void {
    const { uid, resourceVersion } = answer.metadata;
    // Unchanged although it differs: a field of somebody else's stays in it. Said once, it need not be said again.
    if (resourceVersion === this.target.version.resourceVersion) {
      this.tools.settled.set(uid, `${resourceVersion} ${wanted}`);
    }
    this.target.version = versionOf(answer);
    this.tools.learn(answer);
  }

  async tell(reports: readonly Told[]): Promise<void> {
    for (const { type, reason, note, regarding } of reports) {
      try {
        await this.tools.world.cluster.event(
          { regarding: regarding ?? referenceTo(this.object), type, reason, note },
          this.tools.now(),
        );
      } catch (error) {
        this.tools.onTrouble(`event ${reason}`, error);
      }
    }
  }

  /**
   * What was decided on a copy that is behind must not be carried out: a run that is over would be begun again. The copy
   * of the object itself is compared; its Jobs, pods and Leases have names and preconditions that protect them.
   */
  private async refuseStale(): Promise<void> {
    if (this.isFresh) return;
    const { uid, resourceVersion } = this.target.version;
    const live = await this.tools.world.cluster.get(this.kind, this.target.version);
    if (live !== undefined) this.tools.learn(live);
    if (live?.metadata.uid !== uid || live.metadata.resourceVersion !== resourceVersion) {
      throw new HoldfastError('Stale', 'the local copy of the object is behind', { outlook: 'retry' });
    }
    this.isFresh = true;
  }
}

/** What does not pass by itself is told, all of it; what passes has no need of words. */
function together(failures: readonly unknown[]): unknown {
  const lasting = failures.map((failure) => toHoldfastError(failure)).filter(({ outlook }) => outlook === 'final');
  const [first] = lasting;
  if (first === undefined || lasting.length === 1) return first ?? failures[0];
  const { reason, hint } = first;
  return new HoldfastError(reason, lasting.map(({ message }) => message).join('; '), {
    cause: first,
    ...(hint === undefined ? {} : { hint }),
  });
}

function versionOf({ metadata }: KubeObject): Version {
  const { namespace = '', name, uid, resourceVersion } = metadata;
  return { namespace, name, uid, resourceVersion };
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject): ObjectReference {
  const { namespace = '', name, uid } = metadata;
  return { apiVersion, kind, namespace, name, uid };
}
