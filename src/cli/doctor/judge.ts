/** From facts to findings, most fundamental first. Pure. */
import type { Backup } from '../../api/backup.ts';
import type { BackupSchedule } from '../../api/backup-schedule.ts';
import type { Condition } from '../../api/conditions.ts';
import { KINDS } from '../../api/crd.ts';
import type { Lease } from '../../api/kubernetes.ts';
import { GROUP, inKubectl, VERSION } from '../../api/meta.ts';
import { ANNOTATIONS } from '../../api/names.ts';
import { recoveryLine, rememberedCount, takenText } from '../../api/recovery.ts';
import type { Restore } from '../../api/restore.ts';
import { formatDuration } from '../../lib/duration.ts';
import { parseCron } from '../../policy/cron.ts';
import { isTimeZone, nextSlot } from '../../policy/schedule.ts';
import { newestFirst, scheduleOf } from '../list.ts';
import { detailOf, hasFailed, isComplete, isLookedAt, isOver, phaseOf, type Run, spanOf } from '../run.ts';
import { age, list, plural } from '../words.ts';
import type { Answer, Finding } from './finding.ts';
import type { AccessAnswer, DoctorFacts, OperatorFacts, ServedKinds } from './look.ts';

export function judge(facts: DoctorFacts, now: Date): Finding[] {
  const served = judgeKinds(facts.served);
  const operator = each(facts.operators, 'operator', (found) => judgeOperators(found, facts.namespace, now));
  if (facts.served.versions.length === 0) return [...served, ...operator];
  const place = judgePlace(facts);
  if (facts.place.known && facts.place.value === undefined) return [...served, ...operator, ...place];
  return [
    ...served,
    ...operator,
    ...judgeRights(facts.access, facts.namespace),
    ...place,
    ...each(facts.stores, 'stores', (stores) =>
      ready(
        'store',
        'backupstore',
        stores,
        facts.namespace,
        'There is no BackupStore: nothing says where archives go.',
      ),
    ),
    ...judgeKeys(facts),
    ...judgeSchedules(facts, now),
    ...each(facts.backups, 'backups', (backups) => atWork('backup', backups, now)),
    ...each(facts.restores, 'restores', (restores) => [...atWork('restore', restores, now), ...judgeKept(restores)]),
    ...judgeLeases(facts),
  ];
}

function each<T>(answer: Answer<T>, subject: string, look: (value: T) => Finding[]): Finding[] {
  return answer.known ? look(answer.value) : [{ subject, verdict: 'unknown', message: `not looked at: ${answer.why}` }];
}

const BRING_KINDS = 'kubectl apply --server-side --force-conflicts -f helm/holdfast/crds';

const INSTALL =
  'helm upgrade --install holdfast helm/holdfast --namespace holdfast-system --create-namespace --set clusterName=NAME';

function judgeKinds({ versions, missingKinds, missingFields }: ServedKinds): Finding[] {
  const subject = 'kinds';
  if (versions.length === 0) {
    return [{ subject, verdict: 'wrong', message: `This cluster does not have the kinds of ${GROUP}.`, next: INSTALL }];
  }
  if (!versions.includes(VERSION)) {
    const message = `This cluster serves ${GROUP} in ${list(versions)}; this plugin knows ${VERSION} only.`;
    return [{ subject, verdict: 'wrong', message, next: "Use the plugin of the operator's own version." }];
  }
  if (missingKinds.length > 0) {
    const message = `${list(missingKinds)} ${missingKinds.length === 1 ? 'is' : 'are'} not served.`;
    return [{ subject, verdict: 'wrong', message, next: BRING_KINDS }];
  }
  if (missingFields.known && missingFields.value.length > 0) {
    const some = missingFields.value.slice(0, 3);
    const rest = missingFields.value.length - some.length;
    const message = `The CRDs are older than this plugin: they lack ${some.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}.`;
    return [{ subject, verdict: 'wrong', message, next: BRING_KINDS }];
  }
  return [{ subject, verdict: 'ok', message: `${GROUP}/${VERSION}, with every field that this plugin knows` }];
}

function judgeOperators(operators: readonly OperatorFacts[], namespace: string, now: Date): Finding[] {
  if (operators.length === 0) {
    const message =
      'There is no Deployment with the label app.kubernetes.io/name=holdfast: nobody does what our objects ask for.';
    return [{ subject: 'operator', verdict: 'wrong', message, next: INSTALL }];
  }
  const ours = operators.filter(({ namespaces }) => namespaces.length === 0 || namespaces.includes(namespace));
  if (ours.length === 0) return [nobodyLooksAfter(namespace, operators)];
  return [
    ...(ours.length === 1 ? [] : [tooManyLookAfter(namespace, ours)]),
    ...ours.flatMap((operator) => [judgeDeployment(operator), judgeLeader(operator, now)]),
  ];
}

function nobodyLooksAfter(namespace: string, operators: readonly OperatorFacts[]): Finding {
  const others = operators.map((operator) => `${placeOf(operator)} looks after ${list(operator.namespaces)} only`);
  return {
    subject: 'operator',
    verdict: 'wrong',
    message: `${others.join('; ')}: nobody does what objects in ${namespace} ask for.`,
    next: `Add ${namespace} to the chart's value watchNamespaces.`,
  };
}

function tooManyLookAfter(namespace: string, operators: readonly OperatorFacts[]): Finding {
  return {
    subject: 'operators',
    verdict: 'wrong',
    message: `${list(operators.map(placeOf))} all look after ${namespace}, and get into each other's way.`,
    next: `Give each of them namespaces of its own by the chart's value watchNamespaces, or uninstall all but one.`,
  };
}

function placeOf({ deployment }: OperatorFacts): string {
  return `Deployment ${deployment.metadata.namespace}/${deployment.metadata.name}`;
}

function judgeDeployment({ deployment }: OperatorFacts): Finding {
  const { name, namespace } = deployment.metadata;
  const wanted = deployment.spec.replicas ?? 1;
  const there = deployment.status?.readyReplicas ?? 0;
  const message = `Deployment ${namespace}/${name}: ${there} of ${wanted} ready`;
  const subject = 'operator';
  if (there > 0 && there >= wanted) return { subject, verdict: 'ok', message };
  return {
    subject,
    verdict: there > 0 ? 'note' : 'wrong',
    message,
    next: `kubectl -n ${namespace} describe deployment ${name}; kubectl -n ${namespace} logs deployment/${name}`,
  };
}

/** The leader renews every few seconds; this leaves room for clocks that differ. */
const LEADER_SILENCE = 60_000;

function judgeLeader({ deployment, leader }: OperatorFacts, now: Date): Finding {
  const subject = 'leader';
  const { name, namespace } = deployment.metadata;
  if (!leader.known) return { subject, verdict: 'unknown', message: `not looked at: ${leader.why}` };
  const next = `kubectl -n ${namespace} logs deployment/${name}`;
  const { holderIdentity, renewTime } = leader.value?.spec ?? {};
  if (!holderIdentity || renewTime === undefined) {
    return { subject, verdict: 'wrong', message: 'No replica leads, so nothing is done.', next };
  }
  const silence = now.getTime() - Date.parse(renewTime);
  const message = `${holderIdentity.split('_')[0]} leads, last heard of ${formatDuration(silence)} ago`;
  return silence <= LEADER_SILENCE ? { subject, verdict: 'ok', message } : { subject, verdict: 'wrong', message, next };
}

function judgeRights(access: readonly AccessAnswer[], namespace: string): Finding[] {
  const subject = 'your rights';
  const denied = access.filter(({ allowed }) => !allowed);
  const reading = denied.filter(({ verb, group }) => group === GROUP && ['get', 'list', 'watch'].includes(verb));
  const next = `Ask for a RoleBinding in ${namespace} to ClusterRole "view" (reading) or "edit" (writing); the chart adds our kinds to both, unless clusterObjects is false.`;
  if (reading.length > 0) {
    return [{ subject, verdict: 'wrong', message: `you may not ${deniedText(reading)}`, next }];
  }
  if (denied.length === 0) return [{ subject, verdict: 'ok', message: 'all that this plugin can do' }];
  return [{ subject, verdict: 'note', message: `reading is allowed, but not: ${deniedText(denied)}` }];
}

/** `create any of our kinds and get pods/log`: verbs that lack the same resources are said together. */
function deniedText(denied: readonly AccessAnswer[]): string {
  const verbsOf = new Map<string, string[]>();
  for (const verb of new Set(denied.map((one) => one.verb))) {
    const what = resourcesText(denied.filter((one) => one.verb === verb));
    verbsOf.set(what, [...(verbsOf.get(what) ?? []), verb]);
  }
  return list([...verbsOf].map(([what, verbs]) => `${verbs.join('/')} ${what}`));
}

function resourcesText(denied: readonly AccessAnswer[]): string {
  const ours = denied.filter(({ group }) => group === GROUP);
  const others = denied.filter(({ group }) => group !== GROUP).map(({ resource }) => resource);
  const all = ours.length === KINDS.length ? ['any of our kinds'] : ours.map(({ resource }) => resource);
  return [...all, ...others].join(', ');
}

const ENFORCE = 'pod-security.kubernetes.io/enforce';

function judgePlace({ place, namespace }: DoctorFacts): Finding[] {
  const subject = 'namespace';
  if (!place.known) return [{ subject, verdict: 'unknown', message: `${namespace} not looked at: ${place.why}` }];
  if (place.value === undefined) {
    return [
      {
        subject,
        verdict: 'wrong',
        message: `There is no namespace "${namespace}".`,
        next: '-n NAMESPACE chooses another.',
      },
    ];
  }
  if (place.value.status?.phase === 'Terminating') {
    return [{ subject, verdict: 'wrong', message: `${namespace} is being deleted: no Job starts in it any more.` }];
  }
  const level = place.value.metadata.labels?.[ENFORCE] ?? 'not set';
  return [
    { subject, verdict: 'ok', message: `${namespace}, PodSecurity ${level}; our Jobs fit "restricted", the strictest` },
  ];
}

interface WithReady {
  readonly metadata: { readonly name: string };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

function ready(
  word: string,
  resource: string,
  objects: readonly WithReady[],
  namespace: string,
  none: string,
): Finding[] {
  if (objects.length === 0) return [{ subject: `${word}s`, verdict: 'note', message: none }];
  return objects.map(({ metadata, status }) => {
    const subject = `${word} ${metadata.name}`;
    const condition = status?.conditions?.find(({ type }) => type === 'Ready');
    if (condition?.status === 'True') return { subject, verdict: 'ok', message: 'Ready' };
    const message =
      condition === undefined
        ? 'the operator has not looked at it'
        : `not Ready: ${condition.reason}: ${condition.message}`;
    return {
      subject,
      verdict: 'wrong',
      message,
      next: `kubectl -n ${namespace} describe ${resource}.${GROUP} ${metadata.name}`,
    };
  });
}

function judgeKeys({ keys, backups, schedules, namespace }: DoctorFacts): Finding[] {
  return each(keys, 'keys', (found) => {
    const none = 'There is no BackupKey.';
    const own = found.length === 0 ? [] : ready('key', 'backupkey', found, namespace, none);
    const defaults = found.filter(({ spec }) => spec.default === true).map(({ metadata }) => metadata.name);
    if (defaults.length === 1) return own;
    const subject = 'default key';
    if (defaults.length > 1) {
      const next = 'Leave default: true on one of them.';
      return [
        ...own,
        { subject, verdict: 'wrong', message: `${list(defaults)} all say default: true, so none is.`, next },
      ];
    }
    const wanted = [
      ...(schedules.known ? schedules.value.map(({ spec }) => spec.template.spec) : []),
      ...(backups.known ? backups.value.filter((backup) => !isOver(backup)).map(({ spec }) => spec) : []),
    ].some(({ keyRef }) => keyRef === undefined);
    const message = found.length === 0 ? none : 'No BackupKey says default: true.';
    if (!wanted) return [...own, { subject, verdict: 'note', message: `${message} Backups must name one.` }];
    const next = 'kubectl holdfast key create NAME --default';
    return [...own, { subject, verdict: 'wrong', message: `${message} Backups that name none wait for it.`, next }];
  });
}

function judgeSchedules({ schedules, backups, namespace }: DoctorFacts, now: Date): Finding[] {
  return each(schedules, 'schedules', (found) => {
    if (found.length === 0)
      return [
        {
          subject: 'schedules',
          verdict: 'note',
          message: 'There is no BackupSchedule: nothing is backed up by itself.',
        },
      ];
    return found.map((schedule) => judgeSchedule(schedule, backups.known ? backups.value : [], namespace, now));
  });
}

function judgeSchedule(schedule: BackupSchedule, backups: readonly Backup[], namespace: string, now: Date): Finding {
  const { metadata, spec, status } = schedule;
  const subject = `schedule ${metadata.name}`;
  const next = `kubectl -n ${namespace} describe backupschedule ${metadata.name}`;
  const stalled = status?.conditions?.find(({ type, status: value }) => type === 'Stalled' && value === 'True');
  if (stalled !== undefined)
    return { subject, verdict: 'wrong', message: `${stalled.reason}: ${stalled.message}`, next };
  if (spec.suspend === true)
    return { subject, verdict: 'note', message: `suspended; last success ${lastSuccess(schedule, now)}` };
  const last = backups.filter((backup) => scheduleOf(backup) === metadata.name && isOver(backup)).sort(newestFirst)[0];
  if (last !== undefined && hasFailed(last)) {
    const message = `its last run, ${last.metadata.name}, failed: ${detailOf(last) ?? 'no reason given'} Last success ${lastSuccess(schedule, now)}.`;
    return {
      subject,
      verdict: 'wrong',
      message,
      next: last.status?.failure?.hint ?? `kubectl holdfast -n ${namespace} inspect ${last.metadata.name}`,
    };
  }
  const interval = longestInterval(schedule, now);
  if (interval === undefined)
    return {
      subject,
      verdict: 'wrong',
      message: `"${spec.schedule}" never comes in ${spec.timeZone ?? 'Etc/UTC'}`,
      next,
    };
  const since = Date.parse(status?.lastSuccessfulTime ?? metadata.creationTimestamp);
  if (now.getTime() - since > 2 * interval) {
    const message = `last success ${lastSuccess(schedule, now)}, more than twice its interval of ${formatDuration(interval)}`;
    return { subject, verdict: 'wrong', message, next };
  }
  const drilled = status?.conditions?.find(({ type }) => type === 'Drilled');
  if (drilled?.status === 'False') {
    return { subject, verdict: 'wrong', message: `${drilled.reason}: ${drilled.message}`, next };
  }
  return {
    subject,
    verdict: 'ok',
    message: `last success ${lastSuccess(schedule, now)}, next ${status?.nextScheduleTime ?? 'not known yet'}`,
  };
}

function lastSuccess({ status }: BackupSchedule, now: Date): string {
  const span = age(status?.lastSuccessfulTime, now);
  return span === undefined ? 'never' : `${span} ago`;
}

/** Enough to see a weekend, or the 31st. */
const SLOTS_LOOKED_AT = 12;

/** Between two of the next slots: a schedule of working days is not late on a Sunday. */
function longestInterval({ metadata, spec }: BackupSchedule, now: Date): number | undefined {
  const zone = spec.timeZone ?? 'Etc/UTC';
  try {
    const cron = parseCron(spec.schedule, `${metadata.namespace}/${metadata.name}`);
    let slot = isTimeZone(zone) ? nextSlot(cron, zone, now) : undefined;
    let longest: number | undefined;
    for (let count = 0; slot !== undefined && count < SLOTS_LOOKED_AT; count += 1) {
      const following = nextSlot(cron, zone, slot);
      if (following !== undefined) longest = Math.max(longest ?? 0, following.getTime() - slot.getTime());
      slot = following;
    }
    return longest;
  } catch {
    return undefined;
  }
}

/** Longer than this, something that is at work without a word of trouble deserves a look. */
const LONG = 24 * 3_600_000;

function atWork(word: string, runs: readonly Run[], now: Date): Finding[] {
  const open = runs.filter((run) => !isOver(run));
  if (open.length === 0) {
    const good = runs.filter(isComplete).length;
    return [{ subject: `${word}s`, verdict: 'ok', message: `none at work, ${good} Complete` }];
  }
  return open.map((run) => {
    const subject = `${word} ${run.metadata.name}`;
    const { failure } = run.status ?? {};
    const since = formatDuration(spanOf(run, now));
    const message = `${phaseOf(run)} for ${since}${detailOf(run) === undefined ? '' : `: ${detailOf(run)}`}`;
    const waits = failure !== undefined || !isLookedAt(run);
    if (!waits && spanOf(run, now) < LONG) return { subject, verdict: 'note', message };
    const describe = `kubectl -n ${run.metadata.namespace} describe ${inKubectl(word)} ${run.metadata.name}`;
    return { subject, verdict: 'wrong', message, next: failure?.hint ?? describe };
  });
}

/** A database that should be gone by now takes up room, and nobody looks at a restore that is over. */
function judgeKept(restores: readonly Restore[]): Finding[] {
  return restores.flatMap(({ metadata, status }) => {
    const stuck = status?.conditions?.find(
      ({ type, status: value }) => type === 'PreviousDropped' && value === 'False',
    );
    if (stuck === undefined) return [];
    const { name, namespace } = metadata;
    const next = `kubectl -n ${namespace} describe restore.holdfast.dev ${name}; kubectl -n ${namespace} get jobs | grep expire`;
    return [{ subject: `restore ${name}`, verdict: 'wrong', message: `${stuck.reason}: ${stuck.message}`, next }];
  });
}

/** A scale Lease is the memory of a count. When its Restore is gone or over, the app may be at zero with nobody to bring it back. */
function judgeLeases({ leases, restores, namespace }: DoctorFacts): Finding[] {
  return each(leases, 'replica counts', (found) => {
    if (!restores.known)
      return [{ subject: 'replica counts', verdict: 'unknown', message: `not looked at: ${restores.why}` }];
    const scale = found.filter(({ metadata }) => metadata.name.startsWith('holdfast-scale-'));
    const orphans = scale.filter((lease) => !isHeld(lease, restores.value));
    if (orphans.length === 0) {
      return [
        {
          subject: 'replica counts',
          verdict: 'ok',
          message:
            scale.length === 0
              ? 'no app is kept at zero'
              : `${plural(scale.length, 'app is', 'apps are')} kept at zero by a restore at work`,
        },
      ];
    }
    return orphans.map((lease) => orphan(lease, namespace));
  });
}

function isHeld({ spec }: Lease, restores: readonly Restore[]): boolean {
  return restores.some((restore) => restore.metadata.uid === spec?.holderIdentity && !isOver(restore));
}

function orphan({ metadata }: Lease, namespace: string): Finding {
  const annotations = metadata.annotations ?? {};
  const workload = annotations[ANNOTATIONS.workload] ?? '?';
  const replicas = rememberedCount(annotations);
  const holder = annotations[ANNOTATIONS.holder] ?? 'a Restore';
  const [, name = ''] = workload.split('/');
  return {
    subject: `app ${name}`,
    verdict: 'wrong',
    message: `${holder} ${takenText({ workload, replicas })}, and is not there any more to bring it back.`,
    next: recoveryLine({ namespace, workload, replicas, lease: metadata.name, jobs: [] }),
  };
}
