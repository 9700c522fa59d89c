import { describe, expect, test } from '@jest/globals';
import { validateText } from '../../../../src/cli/validate/file.ts';
import { NOON } from '../../../support/builders.ts';

function findings(text: string): string[] {
  return validateText(text, NOON).findings.map(({ line, field, message }) => `${line}: ${field}: ${message}`);
}

const KEY = `apiVersion: holdfast.dev/v1alpha1
kind: BackupKey
metadata:
  name: team
spec:
  recipients:
    - age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
`;

const SCHEDULE = `apiVersion: holdfast.dev/v1alpha1
kind: BackupSchedule
metadata:
  name: nightly
spec:
  schedule: "0 2 * * *"
  template:
    spec:
      source:
        postgresql:
          host: pg
          database: orders
          credentials:
            secretRef:
              name: pg
      storeRef:
        name: cellar
`;

test('a good file has nothing to say about it', () => {
  const verdict = validateText(`${KEY}---\n${SCHEDULE}---\n`, NOON);
  expect(verdict).toEqual({ findings: [], checked: ['BackupKey/team', 'BackupSchedule/nightly'], others: [] });
});

test('objects of other kinds are named and left alone', () => {
  expect(validateText('apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nnonsense: 1\n', NOON)).toEqual({
    findings: [],
    checked: [],
    others: ['v1 Secret/s'],
  });
});

describe('each finding has its line, in every document of the file', () => {
  test('an unknown field, at its own line, with what was meant', () => {
    const text = `${KEY}---\n${SCHEDULE.replace('database: orders', 'databse: orders')}`;
    expect(findings(text)).toEqual([
      '20: spec.template.spec.source.postgresql.databse: unknown field; did you mean "database"?',
    ]);
  });

  test('a wrong type, with what YAML made of it', () => {
    expect(findings(KEY.replace('name: team', 'name: team\n  labels:\n    enabled: yes\n    level: 5'))).toEqual([
      '6: metadata.labels.enabled: must be a string, not the boolean true; in quotes it is a string',
      '7: metadata.labels.level: must be a string, not the number 5; in quotes it is a string',
    ]);
  });

  test('a value out of bounds', () => {
    const text = SCHEDULE.replace('  template:', '  failedBackupsHistoryLimit: 101\n  template:');
    expect(findings(text)).toEqual(['7: spec.failedBackupsHistoryLimit: must be <= 100, not 101']);
  });

  test('an item of a list', () => {
    expect(findings(KEY.replace('age1ql', 'AGE1QL'))[0]).toMatch(/^7: spec\.recipients\[0\]: "AGE1QL.*does not fit/);
  });

  test('a rule over several fields, also where a default breaks it', () => {
    expect(findings(SCHEDULE.replace('database: orders', 'database: postgres'))).toEqual([
      '10: spec.template.spec.source.postgresql: database and maintenanceDatabase must differ: a database cannot be replaced from inside itself',
    ]);
  });

  test('an item of a List', () => {
    const items = KEY.split('\n')
      .map((line, index) => `${index === 0 ? '  - ' : '    '}${line}`)
      .join('\n');
    expect(findings(`apiVersion: v1\nkind: List\nitems:\n${items.replace('recipients', 'recipient')}`)).toContain(
      '9: items[0].spec.recipient: unknown field; did you mean "recipients"?',
    );
  });

  test('JSON', () => {
    const text =
      '{\n "apiVersion": "holdfast.dev/v1alpha1",\n "kind": "BackupKey",\n "metadata": {"name": "a"},\n "spec": {\n  "recipients": []\n }\n}';
    expect(findings(text)).toEqual(['6: spec.recipients: must have at least 1 item']);
  });
});

describe('what no API server would know', () => {
  test('a mistyped recipient', () => {
    expect(findings(KEY.replace('mcac8p', 'mcac8q'))[0]).toMatch(/^7: spec\.recipients\[0\]: is no age recipient: /);
  });

  test('a private key where a public one belongs is said without showing it', () => {
    const [said = ''] = findings(
      KEY.replace(/age1\w+/, 'AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ'),
    );
    expect(said).not.toContain('QQQQQQQQ');
    expect(said).toContain('private key');
  });

  test.each([
    ['schedule: "0 2 * * *"', 'schedule: "0 2 31 2 *"', '6: spec.schedule: "0 2 31 2 *" never comes'],
    ['schedule: "0 2 * * *"', 'schedule: "0 25 * * *"', '6: spec.schedule: hour: "25" is not within 0-23'],
    [
      'schedule: "0 2 * * *"',
      'schedule: "0 2 * * *"\n  timeZone: Mars/Base',
      '7: spec.timeZone: "Mars/Base" is no IANA time zone, such as Europe/Paris',
    ],
    [
      'database: orders',
      `database: ${'ü'.repeat(40)}`,
      "12: spec.template.spec.source.postgresql.database: has 80 bytes in UTF-8; PostgreSQL's names have at most 63",
    ],
  ])('%s → %s', (from, to, said) => {
    expect(findings(SCHEDULE.replace(from, to))).toEqual([said]);
  });
});

describe('what is no object of ours', () => {
  test.each([
    [
      'kind: BackupKey',
      'kind: BackupKye',
      '2: kind: there is no kind "BackupKye" in holdfast.dev; did you mean "BackupKey"?',
    ],
    ['v1alpha1', 'v1', '1: apiVersion: this plugin knows holdfast.dev/v1alpha1 only, not "holdfast.dev/v1"'],
    ['kind: BackupKey', '', '1: kind: is required'],
  ])('%s → %s', (from, to, said) => {
    expect(findings(KEY.replace(from, to))).toEqual([said]);
  });

  test('broken YAML is said once, with its line', () => {
    expect(findings(`${KEY}---\na: [\nb: c\n`)).toEqual([expect.stringMatching(/^1[01]: : /)]);
    expect(findings('a: 1\na: 2\n')).toEqual(['2: : Map keys must be unique']);
  });
});
