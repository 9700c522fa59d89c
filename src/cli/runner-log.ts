/** Follows what the runner of one object says of its progress, where our rights allow that. */
import type { Pod } from '../api/kubernetes.ts';
import { LABELS } from '../api/names.ts';
import { isForbidden } from '../kube/errors.ts';
import { KIND } from '../kube/kinds.ts';
import { lines } from '../kube/lines.ts';
import { objectPath } from '../kube/paths.ts';
import { Reflector } from '../kube/watch.ts';
import { type Progress, parseProgress } from './progress.ts';
import type { Session } from './session.ts';

/** What it needs of a session. */
type Reach = Pick<Session, 'http' | 'cluster' | 'namespace'>;

/** Progress is a courtesy: whoever may not list pods or read logs goes without, and hears nothing of it. */
export class RunnerLog {
  private readonly session: Reach;
  private readonly ending = new AbortController();
  private readonly pods: Reflector<Pod>;
  private readonly followed = new Set<string>();
  private readonly tell: (progress: Progress | undefined) => void;

  /** `tell` hears each new state; undefined: nothing is known any more. */
  constructor(session: Reach, ownerUid: string, tell: (progress: Progress | undefined) => void) {
    this.session = session;
    this.tell = tell;
    this.pods = new Reflector<Pod>(session.http, KIND.pod, {
      namespace: session.namespace,
      labelSelector: `${LABELS.owner}=${ownerUid}`,
      onChange: ({ type, object }) => {
        if (type !== 'deleted') void this.follow(object);
      },
      onFatal: () => undefined,
    });
  }

  async start(): Promise<void> {
    const mayWatch = await this.session.cluster
      .list(KIND.pod, { namespace: this.session.namespace, labelSelector: `${LABELS.owner}=none` })
      .then(
        () => true,
        (caught: unknown) => !isForbidden(caught),
      );
    if (mayWatch && !this.ending.signal.aborted) this.pods.start();
  }

  async stop(): Promise<void> {
    this.ending.abort();
    await this.pods.stop();
  }

  private async follow(pod: Pod): Promise<void> {
    const { uid, name, namespace = '' } = pod.metadata;
    const running = pod.status?.containerStatuses?.some(({ state }) => state?.running !== undefined) ?? false;
    if (!running || this.followed.has(uid)) return;
    this.followed.add(uid);
    const path = `${objectPath(KIND.pod, { namespace, name })}/log`;
    try {
      const call = { method: 'GET', path, query: { follow: 'true', container: 'runner', tailLines: '20' } } as const;
      const stream = await this.session.http.stream(call, this.ending.signal);
      for await (const line of lines(stream)) {
        const progress = parseProgress(line);
        if (progress !== undefined) this.tell(progress);
      }
    } catch {
      // Not allowed, or the pod is gone: the object itself tells what matters.
    }
    if (!this.ending.signal.aborted) this.tell(undefined);
  }
}
