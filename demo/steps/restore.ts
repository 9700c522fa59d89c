/** The backup back into the live database, with the app at zero meanwhile; and the proof that it is all there. */
import type { Restore } from '../../src/api/restore.ts';
import { formatDuration } from '../../src/lib/duration.ts';
import type { Demo } from '../context.ts';
import { count, type Fingerprint, fingerprintUpTo } from '../database.ts';
import { example, named, restoring } from '../examples.ts';
import { applyShown } from '../files.ts';
import { APP, REPLICAS } from '../objects.ts';
import { Problem } from '../problem.ts';
import { block, command, during, proof, tell, title } from '../say.ts';
import { complete } from '../settled.ts';
import { describe } from './backup.ts';
import type { LostTime } from './disaster.ts';
import { ordersBeyond } from './parts.ts';

export async function restore(demo: Demo): Promise<Restore> {
  const { kubectl } = demo;
  const name = demo.name;
  title('A restore');
  tell(
    `It backs up what is live now, wrecked as it is, takes ${APP} to zero, loads the archive into a database beside the live one, checks it, puts it in the live one's place in a single commit, and gives ${APP} its replicas back. A failure before that commit costs nothing; the replicas come back in any case.`,
  );
  const object = restoring(named(await example('postgresql-restore.yaml', 'Restore'), name), name);
  await applyShown(kubectl, object, `restore-${name}.yaml`);
  const restored = await during('restoring', (progress) => complete<Restore>(kubectl, 'restore', name, progress));
  command(`kubectl -n ${kubectl.namespace} get restore ${name}`);
  block(await kubectl.call(['get', 'restore', name]));
  const { startTime, completionTime, previousDatabase, safetyBackup } = restored.status ?? {};
  const took = Date.parse(completionTime ?? '') - Date.parse(startTime ?? '');
  proof(
    `Complete after ${formatDuration(took)}. The wrecked database is kept as "${previousDatabase}", for a while, and as Backup ${safetyBackup?.name}, until somebody deletes it.`,
  );
  return restored;
}

/** Holds the restored database against the figures from before the backup. */
export async function compare(demo: Demo, before: Fingerprint, lost: LostTime): Promise<void> {
  const { kubectl } = demo;
  title('Is it all there?');
  const after = await fingerprintUpTo(kubectl, before.lastOrder);
  block(`then  ${describe(before)}\nnow   ${describe(after)}`);
  if (after.checksum !== before.checksum || after.customers !== before.customers || after.orders !== before.orders) {
    throw new Problem('The restored rows are not those of before.', 'This must never happen: please report it.');
  }
  if (after.schema !== before.schema) {
    throw new Problem(
      'The restored tables are not made as those of before.',
      'This must never happen: please report it.',
    );
  }
  proof(
    'Every row that was there when the backup was asked for is back, bit for bit, in tables that are made the same.',
  );

  const later = await count(
    kubectl,
    `SELECT count(*) FROM orders WHERE written > '${lost.after}' AND written <= '${lost.until}'`,
  );
  if (later > 0) throw new Problem(`${later} orders from after the backup are there, too.`, 'Please report it.');
  proof('What was written between backup and disaster is not: this is the database of the backup, not a mixture.');
}

/** The app is at its old count and writes again. */
export async function appIsBack(demo: Demo): Promise<void> {
  const { kubectl } = demo;
  title('And the app?');
  command(`kubectl -n ${kubectl.namespace} get deployment ${APP}`);
  await during(`waiting until ${APP} is ready`, () => kubectl.rolledOut(APP));
  block(await kubectl.call(['get', 'deployment', APP]));
  const deployment = await kubectl.get<{ spec: { replicas: number } }>('deployment', APP);
  if (deployment?.spec.replicas !== REPLICAS) {
    throw new Problem(`${APP} has ${deployment?.spec.replicas} replicas, not ${REPLICAS}.`, 'Please report it.');
  }
  const last = await count(kubectl, 'SELECT coalesce(max(id), 0) FROM orders');
  await during('waiting for a new order', () => ordersBeyond(kubectl, last));
  proof(`${REPLICAS} replicas, as before, and they write again.`);
}
