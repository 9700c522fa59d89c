import type { BackupKey } from '../api/backup-key.ts';
import { isTrue } from '../api/conditions.ts';
import { fingerprint, recipientClass } from '../keys/recipients.ts';
import { KIND } from '../kube/kinds.ts';
import { EXIT, type Format } from './output.ts';
import { type Cli, type CommonOptions, withSession } from './session.ts';
import { cell, table } from './table.ts';
import { age } from './words.ts';

export async function keyList(cli: Cli, options: CommonOptions & { readonly output?: Format }): Promise<number> {
  const { output } = cli;
  return withSession(cli, options, async (session) => {
    const keys = await session.cluster.list(KIND.backupKey, { namespace: session.namespace });
    if (options.output === 'json' || options.output === 'yaml') {
      output.objects({ apiVersion: 'v1', kind: 'List', items: keys }, options.output);
      return EXIT.ok;
    }
    if (keys.length === 0) {
      output.say(
        `There is no BackupKey in namespace "${session.namespace}". Make one: kubectl holdfast key create NAME --default`,
      );
      return EXIT.ok;
    }
    output.data(
      table(
        headersOf(options.output),
        keys.flatMap((key) => rowsOf(key, options.output, cli.now())),
      ),
    );
    return EXIT.ok;
  });
}

function headersOf(format: Format | undefined): string[] {
  return [
    'NAME',
    'DEFAULT',
    'READY',
    'PRIVATE KEY',
    'CLASS',
    'FINGERPRINT',
    'AGE',
    ...(format === 'wide' ? ['RECIPIENT'] : []),
  ];
}

/** A row for each recipient, since each is a reader of its own. */
function rowsOf(key: BackupKey, format: Format | undefined, now: Date): string[][] {
  const { recipients, identity } = key.spec;
  return recipients.map((recipient, index) => {
    const first = index === 0;
    return [
      first ? key.metadata.name : '',
      first ? (key.spec.default === true ? 'yes' : '') : '',
      first ? readiness(key) : '',
      first ? (identity === undefined ? 'elsewhere' : `Secret ${identity.secretRef.name}`) : '',
      recipientClass(recipient),
      fingerprint(recipient),
      first ? cell(age(key.metadata.creationTimestamp, now)) : '',
      ...(format === 'wide' ? [recipient] : []),
    ];
  });
}

function readiness(key: BackupKey): string {
  if (isTrue(key.status?.conditions, 'Ready')) return 'yes';
  return cell(key.status?.conditions?.find(({ type }) => type === 'Ready')?.reason ?? 'not looked at');
}
