/**
 * A restore is undone: what it replaced takes the place of what is live, as any restored database does. Nothing is loaded, so
 * there is no archive, no scratch database and no program of PostgreSQL's; what is kept stays as it is but for its name, its
 * notes and its door.
 */
import { previousDatabaseName } from '../../api/names.ts';
import { isOneDatabase, type ServerAccess } from '../../api/task.ts';
import { HoldfastError } from '../../lib/errors.ts';
import type { CleanupOutcome, EngineContext, Login, UndoRequest, UndoTarget } from '../engine.ts';
import { dropAllPrevious } from './drop.ts';
import { clientsOf, notesOf, objectsIn, roleFacts, selfFacts } from './facts.ts';
import { attempting } from './faults.ts';
import { type Hold, hold } from './hold.ts';
import { previousNames } from './instance-target.ts';
import { type Found, findKept, type Kept } from './kept.ts';
import { describeDatabase } from './properties.ts';
import { sessionName } from './session-name.ts';
import { type SwapPlace, type SwapSeams, swap } from './swap.ts';
import { NO_SEAMS, swapBase } from './target.ts';
import { previousGone, type Return, type UndoFacts, undoPlanOf, undoRefusals } from './undo-plan.ts';

export function openUndo(
  server: ServerAccess,
  login: Login,
  request: UndoRequest,
  context: EngineContext,
  seams: SwapSeams = NO_SEAMS,
): Promise<UndoTarget> {
  return attempting('opening the target server', context.signal, async () => {
    const held = await hold(server, login, sessionName('restore', request.run), context);
    const undo = { held, server, request, seams };
    const { maintenanceDatabase } = server;
    return {
      plan: () =>
        attempting('looking at the target', held.signal, async () =>
          undoPlanOf(await undoFacts(undo, objectsIn), request, maintenanceDatabase),
        ),
      swap: (fence) => attempting('the swap', held.signal, () => goLive(undo, fence)),
      dropPrevious: () =>
        attempting('dropping the previous database', held.signal, () => dropAllPrevious(held.session, request.run.uid)),
      [Symbol.asyncDispose]: () => held[Symbol.asyncDispose](),
    };
  });
}

interface Undo {
  readonly held: Hold;
  readonly server: ServerAccess;
  readonly request: UndoRequest;
  readonly seams: SwapSeams;
}

/** Reads everything and changes nothing. Counting what is live is for people only, so the swap leaves it out. */
async function undoFacts({ held, server, request }: Undo, count: typeof objectsIn): Promise<UndoFacts> {
  const { session } = held;
  const found = await findKept(session, server, request.undone);
  const self = await selfFacts(session);
  const names = previousNamesOf(server, found, request);
  const returns: Return[] = [];
  for (const [index, kept] of found.kept.entries()) returns.push(await returnOf(held, kept, names[index] ?? '', count));
  return { found, server: { ...session.server, readOnly: self.readOnly }, self, returns };
}

function previousNamesOf(server: ServerAccess, { kept }: Found, { run }: UndoRequest): readonly string[] {
  if (isOneDatabase(server)) return [previousDatabaseName(server.database, run)];
  return previousNames(
    kept.map(({ database }) => database),
    run,
  );
}

async function returnOf(held: Hold, kept: Kept, previousName: string, count: typeof objectsIn): Promise<Return> {
  const { session } = held;
  const live = await describeDatabase(session, kept.database);
  const ofLive = await clientsOf(session, kept.database);
  // Closed, it has none, unless a person opened it for a look.
  const { sessions } = await clientsOf(session, kept.name);
  return {
    kept,
    ...(live === undefined
      ? {}
      : {
          live: { ...live, objects: await count(held, kept.database, live) },
          liveOwner: await roleFacts(session, live.properties.owner),
        }),
    keptOwner: await roleFacts(session, kept.facts.properties.owner),
    previous: { name: previousName, ...(await notesOf(session, previousName)) },
    clients: { ...ofLive, sessions: [...ofLive.sessions, ...sessions] },
  };
}

async function goLive(undo: Undo, fence: Date): Promise<Omit<CleanupOutcome, 'restored'>> {
  const { held, server, request, seams } = undo;
  const facts = await undoFacts(undo, async () => 0);
  refuseWhatChanged(facts, undo);
  const [first, ...others] = facts.returns.map(placeOf);
  if (first === undefined) throw faultOf(previousGone(request.undone, []));
  await swap({
    ...swapBase({ access: { ...server, database: first.database }, held, seams }),
    places: [first, ...others],
    also: [],
    run: request.run,
    fence,
  }).catch(async (caught: unknown) => {
    if (caught instanceof HoldfastError && caught.reason === 'SwapUnknown') throw caught;
    // Dropped in the instant before: nothing has changed, and this says why.
    const left = await findKept(held.session, server, request.undone).catch(() => undefined);
    throw left?.kept.length === 0 ? faultOf(previousGone(request.undone, request.undone.databases), caught) : caught;
  });
  const names = [first, ...others].flatMap(({ live, previousName }) => (live === undefined ? [] : [previousName]));
  if (!isOneDatabase(server)) return { previousDatabases: names };
  return names[0] === undefined ? {} : { previousDatabase: names[0] };
}

/** Sessions are not looked at: some go by themselves, and the swap tries more than once. */
function refuseWhatChanged(facts: UndoFacts, { server, request }: Undo): void {
  const [refusal] = undoRefusals(facts, request, server.maintenanceDatabase).filter(
    ({ reason }) => reason !== 'SessionsInTheWay',
  );
  if (refusal !== undefined) throw faultOf(refusal);
}

function faultOf({ reason, message, hint }: ReturnType<typeof previousGone>, cause?: unknown): HoldfastError {
  return new HoldfastError(reason, message, { cause, ...(hint === undefined ? {} : { hint }) });
}

const placeOf = ({ kept, live, previous }: Return): SwapPlace => ({
  database: kept.database,
  scratch: kept.facts,
  scratchName: kept.name,
  previousName: previous.name,
  live,
  comment: undefined,
  comesBack: true,
});
