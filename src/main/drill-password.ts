/** Before the server of a drill is made: its password, which nobody ever sees. It is in memory only, and goes with the pod. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MOUNTS } from '../api/task.ts';

const BYTES = 24;

writeFileSync(join(process.env['HOLDFAST_ROOT'] ?? MOUNTS.root, MOUNTS.drill), randomBytes(BYTES).toString('hex'), {
  mode: 0o600,
});
