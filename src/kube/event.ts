import type { NewObject } from '../api/kubernetes.ts';
import { shortHash } from '../api/names.ts';
import type { EventReport } from './cluster.ts';

/** The API server refuses longer ones. */
const NOTE_LIMIT = 1024;

/**
 * An events.k8s.io/v1 Event. Its name is made of what it says, so that saying it again (a retry, a restart between the
 * event and what follows it) is one event, for as long as the API server keeps events (an hour by default).
 */
export function eventObject(report: EventReport, at: Date, reporter: string): NewObject & Record<string, unknown> {
  const { regarding, type, reason, note, action = reason } = report;
  const identity = shortHash([regarding.uid, type, reason, note]);
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: `${regarding.name.slice(0, 200)}.${identity}`, namespace: regarding.namespace },
    eventTime: microTime(at),
    reportingController: 'holdfast.dev/operator',
    reportingInstance: reporter.slice(0, 128),
    action: action.slice(0, 128),
    type,
    reason: reason.slice(0, 128),
    regarding: { ...regarding },
    note: note.length > NOTE_LIMIT ? `${note.slice(0, NOTE_LIMIT - 1)}…` : note,
  };
}

/** Kubernetes' MicroTime: RFC 3339 with six digits. */
export function microTime(at: Date): string {
  return at.toISOString().replace('Z', '000Z');
}
