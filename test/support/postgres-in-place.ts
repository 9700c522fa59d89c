/** Restores into databases that have objects of their own, for tests. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ObjectsReport, Target, TargetPlan, TargetRequest, WritingProgram } from '../../src/engines/engine.ts';
import { postgres } from '../../src/engines/postgres/engine.ts';
import { type Archive, inTheFuture, type PostgresWorld, pieces, requestFor } from './postgres-world.ts';

/** Gives a dump to a program. What the program says goes before what its pipe says. */
export async function feed(program: WritingProgram, bytes: Buffer, size?: number): Promise<void> {
  const [sent, done] = await Promise.allSettled([
    pipeline(Readable.from(pieces(bytes, size)), program.input),
    program.done,
  ]);
  for (const end of [done, sent]) if (end.status === 'rejected') throw end.reason;
}

/** As the runner reads the beginning of an archive. */
export const beginOf =
  (bytes: Buffer): NonNullable<TargetRequest['begin']> =>
  async (program) => {
    for (const piece of pieces(bytes, 1000)) {
      await new Promise((resolve) => program.input.write(piece, resolve));
    }
    program.input.end();
    await program.done;
  };

export interface InPlaceOutcome {
  readonly plan: TargetPlan;
  readonly report: ObjectsReport;
}

export async function addInto(
  world: PostgresWorld,
  database: string,
  archive: Archive,
  over: Partial<TargetRequest> = {},
  fence = inTheFuture(),
  login = world.superuser,
): Promise<InPlaceOutcome> {
  await using target = await openFor(world, database, archive, over, login);
  const plan = await target.plan();
  if (plan.refusals.length > 0) throw Object.assign(new Error(plan.refusals[0]?.message), plan.refusals[0]);
  if (plan.inPlace !== true) throw new Error('the plan is not in place');
  const program = target.addTo(fence);
  await feed(program, archive.bytes);
  return { plan, report: program.report() };
}

export function openFor(
  world: PostgresWorld,
  database: string,
  archive: Archive,
  over: Partial<TargetRequest> = {},
  login = world.superuser,
): Promise<Target> {
  const request = { ...requestFor(archive, database, { onConflict: 'Skip', ...over }), begin: beginOf(archive.bytes) };
  return postgres.openTarget(world.access(database), login, request, world.context);
}
