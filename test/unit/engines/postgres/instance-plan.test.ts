import { describe, expect, test } from '@jest/globals';
import type { DatabaseContents, InstanceContents } from '../../../../src/archive/contents.ts';
import type { TargetPlan } from '../../../../src/engines/engine.ts';
import { type InstanceFacts, instancePlanOf } from '../../../../src/engines/postgres/instance-plan.ts';

const database = (name: string, tables = 1) =>
  ({
    database: name,
    tables: Array.from({ length: tables }, () => ({ schema: 'a', name: 'b' })),
  }) as unknown as DatabaseContents;
const role = (name: string, more = {}) => ({
  name,
  superuser: false,
  replication: false,
  bypassRowSecurity: false,
  ...more,
});

const contents = {
  databases: [database('postgres', 0), database('shop')],
  roles: [role('app'), role('there')],
  tablespaces: [],
  globals: { rolePasswords: false },
} as unknown as InstanceContents;

const facts = (more: Partial<InstanceFacts> = {}): InstanceFacts => ({
  server: '17.6',
  self: { name: 'me', superuser: false, createRoles: true },
  toMake: { roles: [role('app')], memberships: [] } as unknown as InstanceFacts['toMake'],
  maintenanceDatabase: 'postgres',
  restored: ['shop'],
  live: ['postgres', 'shop', 'other'],
  tablespaces: new Set(['pg_default']),
  ...more,
});

const ofShop: TargetPlan = { refusals: [], alreadyRestored: false, server: '17.6', databaseExists: true, objects: 3 };
const reasons = (more: Partial<InstanceFacts>, archived: Partial<InstanceContents> = {}) =>
  instancePlanOf(facts(more), [ofShop], { ...contents, ...archived }).refusals.map(({ reason }) => reason);

describe('the plan for a whole server', () => {
  test('says what is made, what stays, and what is left out', () => {
    expect(instancePlanOf(facts(), [ofShop], contents)).toEqual({
      refusals: [],
      alreadyRestored: false,
      server: '17.6',
      databaseExists: true,
      objects: 3,
      notes: [
        'Databases that are restored: "shop".',
        'Roles that are made, without their passwords: "app".',
        'Roles that are there already and stay as they are: "there".',
        'Databases of the server that the archive has not, and that stay as they are: "other".',
        '"postgres" stays as it is: it is the maintenance database, and has no tables in the archive.',
      ],
    });
  });

  test('says once what stands in the way of several databases, and nothing where it went live before', () => {
    const refusal = { reason: 'RightMissing', message: 'no' };
    const plans = [
      { ...ofShop, refusals: [refusal] },
      { ...ofShop, refusals: [refusal] },
    ];
    expect(instancePlanOf(facts(), plans, contents).refusals).toEqual([refusal]);
    const before = instancePlanOf(facts(), [...plans, { ...ofShop, alreadyRestored: true }], contents);
    expect(before).toMatchObject({ refusals: [], alreadyRestored: true });
  });

  test('refuses to lose the tables of the maintenance database', () => {
    expect(reasons({}, { databases: [database('postgres', 1)] })).toEqual(['MaintenanceDatabase']);
    expect(reasons({ maintenanceDatabase: 'template1' }, { databases: [database('postgres', 1)] })).toEqual([]);
  });

  test('refuses an archive of which nothing would be restored, before anything is done', () => {
    expect(reasons({ restored: [] }, { databases: [database('postgres', 0)] })).toEqual(['NothingToRestore']);
  });

  test('says which of the roles that are made reach further than others', () => {
    const toMake = {
      roles: [role('app'), role('boss', { superuser: true })],
      memberships: [
        { role: 'pg_execute_server_program', member: 'app', admin: false },
        { role: 'pg_read_server_files', member: 'app', admin: false },
        { role: 'pg_monitor', member: 'boss', admin: false },
      ],
    } as unknown as InstanceFacts['toMake'];
    const { notes } = instancePlanOf(facts({ toMake }), [ofShop], contents);
    expect(notes).toContain('Of these, superusers, or free to replicate or to bypass row security: "boss".');
    expect(notes).toContain('Of these, with access to the server\'s files or programs by a membership: "app".');
  });

  test('says what the server has against the roles, where no right that is known by name is missing', () => {
    const rolesProblem = 'unrecognized configuration parameter "old"';
    expect(instancePlanOf(facts({ rolesProblem }), [ofShop], contents).refusals).toMatchObject([
      { reason: 'RolesFailed', message: expect.stringContaining(rolesProblem) },
    ]);
    expect(reasons({ rolesProblem, self: { name: 'me', superuser: false, createRoles: false } })).toEqual([
      'RightMissing',
    ]);
  });

  test('refuses a tablespace that is not there', () => {
    const tablespaces = [{ name: 'fast', location: '/ssd' }];
    expect(reasons({}, { tablespaces })).toEqual(['TablespaceMissing']);
    expect(reasons({ tablespaces: new Set(['fast']) }, { tablespaces })).toEqual([]);
  });

  test('asks for the right to make roles, and for a superuser only where a role is as mighty', () => {
    const mighty = { roles: [role('app', { superuser: true })], memberships: [] } as unknown as InstanceFacts['toMake'];
    const self = { name: 'me', superuser: false, createRoles: false };
    expect(reasons({ self })).toEqual(['RightMissing']);
    expect(reasons({ self, toMake: { roles: [], memberships: [] } })).toEqual([]);
    expect(reasons({ toMake: mighty })).toEqual(['RightMissing']);
    expect(reasons({ toMake: mighty, self: { ...self, superuser: true } })).toEqual([]);
  });
});
