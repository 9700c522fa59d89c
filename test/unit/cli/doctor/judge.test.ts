import { describe, expect, test } from '@jest/globals';
import type { BackupSchedule, BackupScheduleSpec, BackupScheduleStatus } from '../../../../src/api/backup-schedule.ts';
import type { Lease } from '../../../../src/api/kubernetes.ts';
import { fieldsOf, missingFields } from '../../../../src/cli/doctor/fields.ts';
import type { Finding } from '../../../../src/cli/doctor/finding.ts';
import { judge } from '../../../../src/cli/doctor/judge.ts';
import type { DoctorFacts } from '../../../../src/cli/doctor/look.ts';
import {
  aBackup,
  aCompleteBackup,
  aKey,
  aRestore,
  aStore,
  condition,
  NOON,
  noonPlus,
} from '../../../support/builders.ts';

const known = <T>(value: T) => ({ known: true, value }) as const;
const hidden = { known: false, why: 'you may not look at them' } as const;

function meta(name: string, more: object = {}) {
  return {
    name,
    namespace: 'shop',
    uid: name,
    resourceVersion: '1',
    creationTimestamp: '2026-11-24T12:00:00Z',
    ...more,
  };
}

function aSchedule(spec: Partial<BackupScheduleSpec> = {}, status: BackupScheduleStatus = {}): BackupSchedule {
  return {
    apiVersion: 'holdfast.dev/v1alpha1',
    kind: 'BackupSchedule',
    metadata: meta('nightly'),
    spec: { schedule: '0 2 * * *', template: { spec: aBackup().spec }, ...spec },
    status: { lastSuccessfulTime: '2026-11-24T02:05:00Z', ...status },
  };
}

function aDeployment(readyReplicas: number) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta('holdfast'),
    spec: { replicas: 2 },
    status: { readyReplicas },
  };
}

function leader(renewTime: string): Lease {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: meta('holdfast-leader'),
    spec: { holderIdentity: 'pod-1_uuid', renewTime },
  };
}

const scaleLease: Lease = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: meta('holdfast-scale-ab', {
    annotations: {
      'holdfast.dev/workload': 'Deployment/web',
      'holdfast.dev/replicas': '3',
      'holdfast.dev/holder': 'Restore shop/bring-back',
    },
  }),
  spec: { holderIdentity: aRestore().metadata.uid },
};

function healthy(more: Partial<DoctorFacts> = {}): DoctorFacts {
  return {
    namespace: 'shop',
    served: { versions: ['v1alpha1'], missingKinds: [], missingFields: known([]) },
    operators: known([
      { deployment: aDeployment(2), namespaces: [], leader: known(leader('2026-11-24T11:59:55.000000Z')) },
    ]),
    access: [],
    place: known({ apiVersion: 'v1', kind: 'Namespace', metadata: meta('shop') }),
    stores: known([aStore()]),
    keys: known([aKey()]),
    schedules: known([aSchedule()]),
    backups: known([aCompleteBackup()]),
    restores: known([]),
    leases: known([]),
    ...more,
  };
}

function wrong(more: Partial<DoctorFacts>, now = NOON): Finding[] {
  return judge(healthy(more), now).filter(({ verdict }) => verdict === 'wrong');
}

test('nothing is wrong where all is well', () => {
  expect(judge(healthy(), NOON).filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
});

test('everything that is wrong has a next step', () => {
  const findings = wrong({
    operators: known([{ deployment: aDeployment(0), namespaces: [], leader: known(undefined) }]),
    stores: known([aStore({ ready: false })]),
    keys: known([]),
    schedules: known([aSchedule({}, { lastSuccessfulTime: '2026-11-01T00:00:00Z' })]),
    backups: known([aBackup()]),
    restores: known([aRestore()]),
    leases: known([{ ...scaleLease, spec: { holderIdentity: 'somebody else' } }]),
  });
  expect(findings.map(({ subject }) => subject)).toEqual([
    'operator',
    'leader',
    'store cellar',
    'default key',
    'schedule nightly',
    'backup nightly',
    'restore bring-back',
    'app web',
  ]);
  expect(findings.filter(({ next }) => next === undefined)).toEqual([]);
});

describe('the kinds', () => {
  test('that are not there end the examination of what would be made of them', () => {
    const findings = judge(healthy({ served: { versions: [], missingKinds: [], missingFields: hidden } }), NOON);
    expect(findings.map(({ subject }) => subject)).toEqual(['kinds', 'operator', 'leader']);
    expect(findings[0]?.verdict).toBe('wrong');
  });

  test.each([
    [{ versions: ['v2'], missingKinds: [], missingFields: hidden }, 'this plugin knows v1alpha1 only'],
    [{ versions: ['v1alpha1'], missingKinds: ['Restore'], missingFields: hidden }, 'Restore is not served'],
    [
      { versions: ['v1alpha1'], missingKinds: [], missingFields: known(['Backup spec.x', 'b', 'c', 'd']) },
      'they lack Backup spec.x, b, c and 1 more',
    ],
  ])('%j', (served, message) => {
    expect(wrong({ served })[0]?.message).toContain(message);
  });

  test.each([
    { versions: ['v1alpha1'], missingKinds: ['Restore'], missingFields: hidden },
    { versions: ['v1alpha1'], missingKinds: [], missingFields: known(['Backup spec.x']) },
  ])('%j are applied over whoever applied them last, which is the chart', (served) => {
    expect(wrong({ served })[0]?.next).toBe('kubectl apply --server-side --force-conflicts -f helm/holdfast/crds');
  });

  test('fields are compared by path, and a missing object counts once', () => {
    const ours = fieldsOf({ properties: { a: { properties: { b: {} } }, list: { items: { properties: { c: {} } } } } });
    expect(ours).toEqual(['a', 'a.b', 'list', 'list.c']);
    expect(missingFields(ours, ['list'])).toEqual(['a', 'list.c']);
  });
});

describe('the operator', () => {
  test('that is half there is worth a note', () => {
    const operators = known([
      { deployment: aDeployment(1), namespaces: [], leader: known(leader('2026-11-24T11:59:55.000000Z')) },
    ]);
    expect(judge(healthy({ operators }), NOON).find(({ subject }) => subject === 'operator')?.verdict).toBe('note');
  });

  test('whose leader has been silent for long does nothing', () => {
    const operators = known([
      { deployment: aDeployment(2), namespaces: [], leader: known(leader('2026-11-24T11:50:00.000000Z')) },
    ]);
    expect(wrong({ operators })).toMatchObject([{ subject: 'leader', message: 'pod-1 leads, last heard of 10m ago' }]);
  });

  test('that we may not look at is unknown, not wrong', () => {
    expect(wrong({ operators: hidden })).toEqual([]);
  });
});

describe('an operator of some namespaces', () => {
  const leads = known(leader('2026-11-24T11:59:55.000000Z'));
  const operator = (namespaces: readonly string[], ready = 2) => ({
    deployment: aDeployment(ready),
    namespaces,
    leader: leads,
  });

  test('that has this one among them is the operator', () => {
    expect(wrong({ operators: known([operator(['billing', 'shop'])]) })).toEqual([]);
  });

  test('that has not is no help here, and the next step says where to add it', () => {
    expect(wrong({ operators: known([operator(['billing', 'crm'])]) })).toMatchObject([
      {
        subject: 'operator',
        message: expect.stringMatching(/looks after billing and crm only: nobody does what objects in shop ask for\.$/),
        next: "Add shop to the chart's value watchNamespaces.",
      },
    ]);
  });

  test('that is ill elsewhere is no trouble of this namespace', () => {
    expect(wrong({ operators: known([operator(['billing'], 0), operator(['shop'])]) })).toEqual([]);
  });

  test('beside another one of the same namespace is one too many', () => {
    expect(wrong({ operators: known([operator(['shop']), operator([])]) })).toMatchObject([
      { subject: 'operators', message: expect.stringContaining('all look after shop') },
    ]);
  });
});

describe('rights', () => {
  const denied = (verb: string) => ({ verb, resource: 'backups', group: 'holdfast.dev', allowed: false });

  test('without reading, nothing works', () => {
    expect(wrong({ access: [denied('list'), denied('watch'), denied('create')] })).toMatchObject([
      { subject: 'your rights', message: 'you may not list/watch backups' },
    ]);
  });

  test('without writing, a viewer is told so', () => {
    const finding = judge(healthy({ access: [denied('create')] }), NOON).find(
      ({ subject }) => subject === 'your rights',
    );
    expect(finding).toMatchObject({ verdict: 'note', message: 'reading is allowed, but not: create backups' });
  });
});

describe('a schedule', () => {
  const late = { lastSuccessfulTime: '2026-11-22T02:05:00Z' };

  test.each<[string, Partial<BackupScheduleSpec>, BackupScheduleStatus, string | undefined]>([
    ['that succeeded tonight is well', {}, {}, undefined],
    ['that has not succeeded for twice its interval is late', {}, late, 'more than twice its interval of 1d'],
    ['of working days is not late after a weekend', { schedule: '0 2 * * 1-5' }, late, undefined],
    ['that is suspended is not late', { suspend: true }, late, undefined],
    ['that never comes is wrong', { schedule: '0 0 31 2 *' }, {}, 'never comes'],
    ['in no time zone is wrong', { timeZone: 'Mars/Base' }, {}, 'never comes in Mars/Base'],
    [
      'whose last drill failed is wrong',
      {},
      { conditions: [condition('Drilled', 'False', 'DrillFailed')] },
      'DrillFailed: Drilled is False',
    ],
    ['whose last drill restored its backup is well', {}, { conditions: [condition('Drilled', 'True')] }, undefined],
    [
      'that is stalled says why',
      {},
      { conditions: [condition('Stalled', 'True', 'InvalidSchedule')] },
      'InvalidSchedule: Stalled is True',
    ],
  ])('%s', (_what, spec, status, message) => {
    const found = wrong({ schedules: known([aSchedule(spec, status)]) });
    if (message === undefined) expect(found).toEqual([]);
    else expect(found[0]?.message).toContain(message);
  });

  test('whose newest run failed is wrong, with the reason and its hint', () => {
    const failure = { reason: 'TlsFailed', message: 'The certificate has expired.', hint: 'Renew it.' };
    const failed = aBackup({
      metadata: { annotations: { 'holdfast.dev/schedule': 'nightly' } },
      status: { failure, conditions: [condition('Failed', 'True')] },
    });
    expect(wrong({ backups: known([failed]) })).toMatchObject([
      {
        subject: 'schedule nightly',
        next: 'Renew it.',
        message: expect.stringContaining('TlsFailed: The certificate has expired.'),
      },
    ]);
  });
});

describe('keys', () => {
  test('two defaults are none', () => {
    expect(wrong({ keys: known([aKey(), aKey({ name: 'other' })]) })).toMatchObject([
      { subject: 'default key', message: 'team and other all say default: true, so none is.' },
    ]);
  });

  test('no default is fine where every backup names a key', () => {
    const spec = { ...aBackup().spec, keyRef: { name: 'team' } };
    const schedules = known([aSchedule({ template: { spec } })]);
    expect(wrong({ keys: known([aKey({ isDefault: false })]), schedules })).toEqual([]);
  });
});

test('a replaced database that cannot be dropped is wrong, although its restore is Complete', () => {
  const stuck = condition('PreviousDropped', 'False', 'SecretMissing');
  const restore = aRestore({ status: { conditions: [condition('Complete', 'True'), stuck] } });
  expect(wrong({ restores: known([restore]) })).toMatchObject([
    { subject: 'restore bring-back', message: expect.stringMatching(/^SecretMissing: /) },
  ]);
});

describe('an app at zero', () => {
  test('is fine while its restore is at work', () => {
    const restore = aRestore({ status: { phase: 'Loading', conditions: [] } });
    expect(wrong({ leases: known([scaleLease]), restores: known([restore]) })).toEqual([]);
  });

  test.each([
    ['gone', []],
    ['over', [aRestore({ status: { conditions: [condition('Failed', 'True')] } })]],
  ])('whose restore is %s is brought back with one line', (_what, restores) => {
    expect(wrong({ leases: known([scaleLease]), restores: known(restores) })).toMatchObject([
      {
        subject: 'app web',
        message:
          'Restore shop/bring-back took Deployment/web to zero, from 3, and is not there any more to bring it back.',
        next: 'kubectl --namespace shop scale deployment/web --replicas=3 && kubectl --namespace shop delete lease holdfast-scale-ab',
      },
    ]);
  });

  const cronJobs = 'cronjobs.batch/report';
  test.each([
    [
      'that was suspended for it',
      cronJobs,
      { suspend: 'false' },
      `patch ${cronJobs} --patch '{"spec":{"suspend":false}}'`,
    ],
    [
      'that was suspended before',
      cronJobs,
      { suspend: 'true' },
      `patch ${cronJobs} --patch '{"spec":{"suspend":true}}'`,
    ],
    ['whose Lease has lost it', cronJobs, {}, `patch ${cronJobs} --patch '{"spec":{"suspend":<true or false>}}'`],
    [
      'of a kind of others',
      'rollouts.argoproj.io/web',
      { replicas: '2' },
      'scale rollouts.argoproj.io/web --replicas=2',
    ],
    ['whose Lease has no count', 'Deployment/web', {}, 'scale deployment/web --replicas=<count>'],
  ])('%s, the line is one that brings it back', (_what, workload, said, command) => {
    const remembered = Object.fromEntries(Object.entries(said).map(([name, value]) => [`holdfast.dev/${name}`, value]));
    const annotations = { 'holdfast.dev/workload': workload, ...remembered };
    const lease = { ...scaleLease, metadata: { ...scaleLease.metadata, annotations } };
    expect(wrong({ leases: known([lease]) })).toMatchObject([
      { next: `kubectl --namespace shop ${command} && kubectl --namespace shop delete lease holdfast-scale-ab` },
    ]);
  });
});

test('a restore that waits tells for what, and what to do', () => {
  const failure = { reason: 'NoIdentity', message: 'There is no private key.', hint: 'Bring it along.' };
  const restore = aRestore({ status: { phase: 'Pending', failure, conditions: [] } });
  expect(wrong({ restores: known([restore]) }, noonPlus(30))).toMatchObject([
    {
      subject: 'restore bring-back',
      message: 'Pending for 30s: NoIdentity: There is no private key.',
      next: 'Bring it along.',
    },
  ]);
});
