/** The runner of one Job: reads its task, does it, says what came of it, and ends with an exit code of api/task.ts. */
import { randomUUID } from 'node:crypto';
import { MOUNTS, type Task } from '../api/task.ts';
import { SEGMENT_BYTES } from '../archive/layout.ts';
import { engineOf } from '../engines/registry.ts';
import { HoldfastError, messageOf, toHoldfastError } from '../lib/errors.ts';
import { newLogger } from '../observability/log.ts';
import { now } from '../platform/clock.ts';
import { writeReport } from '../runner/report.ts';
import { failed, type Outcome, runTask } from '../runner/run.ts';
import { commandOf, readTask } from '../runner/task.ts';
import { openS3 } from '../storage/s3.ts';

const root = process.env['HOLDFAST_ROOT'] ?? MOUNTS.root;
const attempt = process.env['POD_UID'] ?? randomUUID();
const log = newLogger('info');

/** Aborted by the kubelet's SIGTERM: everything under way ends, cleans up, and the report says so. */
const ending = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => ending.abort(interrupted(signal)));
// A fault of ours that nobody awaits must not leave an upload behind either.
process.on('uncaughtException', (error) => ending.abort(unexpected(error)));
process.on('unhandledRejection', (reason) => ending.abort(unexpected(reason)));

const { report, exitCode } = await main();
log.info({ report }, report.ok ? 'done' : 'ended without success');
try {
  writeReport(report);
} catch (error) {
  log.error({ error }, 'the report could not be written');
}
process.exit(exitCode);

async function main(): Promise<Outcome> {
  let task: Task;
  try {
    task = await readTask(root);
  } catch (caught) {
    return failed((await commandOf(root)) ?? 'probe', toHoldfastError(caught));
  }
  return runTask(task, {
    root,
    engine: engineOf('database' in task ? task.database : { engine: 'postgresql' }),
    openStorage: openS3,
    log,
    signal: ending.signal,
    now,
    attempt,
    segmentBytes: SEGMENT_BYTES,
  });
}

function interrupted(signal: string): HoldfastError {
  return new HoldfastError('Interrupted', `the run was ended by ${signal}`, {
    outlook: 'retry',
    hint: 'The node was drained, or the Job reached its deadline or was deleted.',
  });
}

function unexpected(error: unknown): HoldfastError {
  log.error({ error }, 'a fault of Holdfast');
  return new HoldfastError('InternalError', messageOf(error), { cause: error });
}
