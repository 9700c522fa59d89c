import { standing } from '../../api/force.ts';
import type { DatabaseAccess } from '../../api/task.ts';
import { HoldfastError } from '../../lib/errors.ts';
import { now } from '../../platform/clock.ts';
import type { EngineContext, Login, SwapOutcome, Target, TargetPlan, TargetRequest } from '../engine.ts';
import { ask } from './ask.ts';
import { connect } from './connection.ts';
import { closeDatabase, dress } from './dress.ts';
import { dropPrevious, dropScratch } from './drop.ts';
import { giveExtensionsTo } from './extensions.ts';
import { gatherFacts, type TargetFacts } from './facts.ts';
import { attempting } from './faults.ts';
import type { Hold } from './hold.ts';
import { addInPlace, isInPlace, loadPart, planInPlace, planNew } from './in-place.ts';
import { keptNotes } from './kept-notes.ts';
import { load } from './load.ts';
import { loadInStreams } from './load-streams.ts';
import { noteLoaded } from './loaded.ts';
import { openMeans } from './means.ts';
import { countObjects } from './objects.ts';
import { planInPlaceOf, planOf } from './plan.ts';
import { describeDatabase } from './properties.ts';
import { settlePublicSchema } from './public-schema.ts';
import { refusalsOf } from './rights.ts';
import { createScratch, noScratch } from './scratch.ts';
import { sessionName } from './session-name.ts';
import { loadOptions } from './settings.ts';
import { identifier } from './sql.ts';
import { type SwapPlace, type SwapSeams, swap } from './swap.ts';
import type { Parts, TargetSeams } from './target-parts.ts';
import { settingsAs, wantedProperties, wantedPublicSchema } from './wanted.ts';

export const NO_SEAMS: SwapSeams = { now, before: async () => {} };

export function openTarget(
  access: DatabaseAccess,
  login: Login,
  request: TargetRequest,
  context: EngineContext,
  seams: TargetSeams = NO_SEAMS,
): Promise<Target> {
  return attempting('opening the target server', context.signal, () => open(access, login, request, context, seams));
}

async function open(
  access: DatabaseAccess,
  login: Login,
  request: TargetRequest,
  context: EngineContext,
  seams: TargetSeams,
): Promise<Target> {
  const means = await openMeans({
    ...{ server: access, database: access.database, login, context, options: loadOptions },
    sessionName: sessionName('restore', request.run),
  });
  return {
    ...targetOf({ ...means, access, request, seams }),
    [Symbol.asyncDispose]: () => means[Symbol.asyncDispose](),
  };
}

export function targetOf(parts: Parts): Omit<Target, keyof AsyncDisposable> {
  const { access, request, held, tools, programs } = parts;
  const { scratchDatabase, previousDatabase, run } = request;
  return {
    plan: () =>
      attempting('looking at the target', held.signal, async () =>
        withKept(parts, await planFor(parts, await gatherFacts(held, access.database, request))),
      ),
    createScratch: (archived) =>
      attempting('making the scratch database', held.signal, async () => {
        await dropScratch(held.session, scratchDatabase, run.uid);
        const live = await describeDatabase(held.session, access.database);
        const wanted = wantedProperties(live?.properties, archived, request);
        await createScratch(held.session, scratchDatabase, wanted, run.uid);
        const publicSchema = wantedPublicSchema(archived, request);
        if (publicSchema !== undefined) await settle(parts, publicSchema);
      }),
    load: () => {
      const { streams = 1 } = request;
      const job = { database: scratchDatabase, tools, libpq: programs, signal: held.signal, choices: request };
      const loading = streams > 1 ? loadInStreams(job, streams, parts.seams.runOfRows) : load(job);
      return request.selection === undefined ? loading : loadPart(parts, loading);
    },
    note: () => attempting('noting what was loaded', held.signal, () => noteLoaded(parts)),
    addTo: (fence) => addInPlace(parts, fence),
    ask: (sql, deadline) =>
      attempting('a check', held.signal, async () => {
        await using inside = await connect(held.endpoint(scratchDatabase), held.signal);
        return await ask(inside, sql, deadline.getTime() - parts.seams.now().getTime());
      }),
    swap: (fence) => attempting('the swap', held.signal, () => goLive(parts, fence)),
    dropScratch: () =>
      attempting('dropping the scratch database', held.signal, () =>
        dropScratch(held.session, scratchDatabase, run.uid),
      ),
    dropPrevious: () =>
      attempting('dropping the previous database', held.signal, () =>
        dropPrevious(held.session, previousDatabase, run.uid),
      ),
  };
}

async function withKept({ held, access }: Parts, plan: TargetPlan): Promise<TargetPlan> {
  const kept = plan.alreadyRestored ? [] : await keptNotes(held.session, access.database);
  return kept.length === 0 ? plan : { ...plan, notes: [...(plan.notes ?? []), ...kept] };
}

/** Of what is in the archive, and whom it needs, its table of contents tells. `rolesToMake`: before it is loaded. */
export async function planFor(
  parts: Parts,
  facts: TargetFacts,
  rolesToMake: ReadonlySet<string> = new Set(),
): Promise<TargetPlan> {
  const input = { ...planBase(parts), rolesToMake, facts };
  const inPlace = isInPlace(parts.request, facts.live?.objects ?? 0);
  const plan = inPlace ? planInPlaceOf(input) : planOf(input);
  // After the load nobody asks any more.
  if (plan.alreadyRestored || parts.request.begin === undefined) return plan;
  // Without the rights what is there cannot be told.
  if (inPlace && plan.refusals.length > 0) return plan;
  const { refusals, notes } = inPlace ? await planInPlace(parts) : await planNew(parts, facts, rolesToMake);
  return { ...plan, refusals: [...plan.refusals, ...refusals], ...(notes.length === 0 ? {} : { notes }) };
}

async function settle({ held, request }: Parts, owner: string | null): Promise<void> {
  await using inside = await connect(held.endpoint(request.scratchDatabase), held.signal);
  await settlePublicSchema(inside, owner);
}

const planBase = ({ access, request }: Parts) => ({
  database: access.database,
  maintenanceDatabase: access.maintenanceDatabase,
  request,
});

async function goLive(parts: Parts, fence: Date): Promise<SwapOutcome> {
  const { request, held } = parts;
  const place = await readyPlace(parts);
  await swap({ ...swapBase(parts), places: [place], also: [], run: request.run, fence });
  if (place.live === undefined) return {};
  return request.onConflict === 'Replace'
    ? { previousDatabase: request.previousDatabase }
    : discardEmpty(held, request);
}

export function swapBase({ access, held, seams }: Pick<Parts, 'access' | 'held' | 'seams'>) {
  const open = () => connect(held.endpoint(access.maintenanceDatabase), held.signal);
  return { session: held.session, open, seams };
}

/** Makes the loaded database ready to go live, and says whose place it takes. Hours may have passed since the plan. */
export async function readyPlace(parts: Parts): Promise<SwapPlace> {
  const { access, request, held } = parts;
  const facts = await gatherFacts(held, access.database, request);
  refuseWhatChanged(parts, facts);
  await giveExtensions(parts, facts);
  await closeDatabase(held.session, request.scratchDatabase);
  await dress(held.session, request.scratchDatabase, facts.properties, settingsAs(facts.live?.properties, request));
  const scratch = await describeDatabase(held.session, request.scratchDatabase);
  if (scratch === undefined) throw noScratch(request.scratchDatabase);
  return {
    database: access.database,
    scratch,
    scratchName: request.scratchDatabase,
    previousName: request.previousDatabase,
    live: facts.live,
    comment: facts.properties.comment,
  };
}

/** Sessions are not looked at: some go by themselves, and the swap tries more than once. */
function refuseWhatChanged(parts: Parts, facts: TargetFacts): void {
  if (facts.scratch.notes?.scratchOf !== parts.request.run.uid) throw noScratch(facts.scratch.name);
  const refusals = standing(refusalsOf({ ...planBase(parts), facts }), parts.request.force);
  const [refusal] = refusals.filter(({ reason }) => reason !== 'SessionsInTheWay');
  if (refusal === undefined) return;
  throw new HoldfastError(refusal.reason, refusal.message, refusal.hint === undefined ? {} : { hint: refusal.hint });
}

/** A superuser's extensions stay the superuser's, as they will have been. */
async function giveExtensions({ held, request }: Parts, facts: TargetFacts): Promise<void> {
  // What an archive that is not trusted made is its role's already.
  if (request.owner !== undefined || facts.self.superuser || facts.owner.name === facts.self.name) return;
  await using inside = await connect(held.endpoint(request.scratchDatabase), held.signal);
  await giveExtensionsTo(inside, facts.owner.name);
}

/**
 * Without onConflict Replace the replaced database was empty when we looked. Should somebody have written to it between that
 * look and the swap, it is kept.
 */
export async function discardEmpty(
  held: Hold,
  request: Pick<TargetRequest, 'previousDatabase' | 'run'>,
): Promise<SwapOutcome> {
  const name = request.previousDatabase;
  try {
    await held.session.query(`ALTER DATABASE ${identifier(name)} ALLOW_CONNECTIONS true`);
    if ((await objectsIn(held, name)) === 0) {
      await dropPrevious(held.session, name, request.run.uid);
      return {};
    }
    await closeDatabase(held.session, name);
  } catch {
    // The restore went live; a replaced database that is left over is no reason to call it failed.
    await closeDatabase(held.session, name).catch(() => {});
  }
  return { previousDatabase: name };
}

async function objectsIn(held: Hold, database: string): Promise<number> {
  await using inside = await connect(held.endpoint(database), held.signal);
  return await countObjects(inside);
}
