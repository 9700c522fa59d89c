/** Why a Job has no pod: the API server says it to the Job controller, which puts it into an event. A person may read those; the operator may not. */
import { messageOf } from '../lib/errors.ts';
import type { Session } from './session.ts';

interface Event {
  readonly message?: string;
  readonly lastTimestamp?: string | null;
}

/** The newest refusal, as the API server put it; undefined where there is none, or where events are not for us to read. */
export async function podRefusal({ http, namespace }: Session, job: string): Promise<string | undefined> {
  const fields = { 'involvedObject.kind': 'Job', 'involvedObject.name': job, reason: 'FailedCreate' };
  const fieldSelector = Object.entries(fields)
    .map((pair) => pair.join('='))
    .join(',');
  try {
    const path = `/api/v1/namespaces/${namespace}/events`;
    const { items } = await http.json<{ items: readonly Event[] }>({ method: 'GET', path, query: { fieldSelector } });
    return items.toSorted((a, b) => (a.lastTimestamp ?? '').localeCompare(b.lastTimestamp ?? '')).at(-1)?.message;
  } catch (caught) {
    return `not known, since the events of Job ${job} cannot be read: ${messageOf(caught)}`;
  }
}
