/** The databases that a restore replaced and that are kept: which they are, and what they were called. */
import { previousDatabaseName } from '../../api/names.ts';
import { isOneDatabase, type ServerAccess } from '../../api/task.ts';
import type { UndoneRestore } from '../../api/undone.ts';
import type { Session } from './connection.ts';
import { databaseNames } from './drop.ts';
import { type DatabaseNotes, type RestoreMark, replacedBy } from './marker.ts';
import { type DatabaseFacts, describeDatabase } from './properties.ts';

/** A database, kept or not. */
export interface Named {
  readonly name: string;
  readonly facts: DatabaseFacts;
}

export interface Kept extends Named {
  /** The name under which it was live, and will be. */
  readonly database: string;
  /** The mark of the restore that replaced it, where a live database still bears it. */
  readonly mark?: RestoreMark;
}

/** What an undo finds on the server. */
export interface Found {
  readonly kept: readonly Kept[];
  /** Those that are kept by nobody. */
  readonly live: readonly Named[];
  /** Kept, but nobody knows what their names were: they were kept by a version that did not note it. */
  readonly nameless: readonly string[];
}

export async function findKept(session: Session, server: ServerAccess, undone: UndoneRestore): Promise<Found> {
  if (isOneDatabase(server)) return await findOne(session, server.database, undone);
  const all: Named[] = [];
  for (const name of await databaseNames(session)) {
    const facts = await describeDatabase(session, name);
    if (facts !== undefined) all.push({ name, facts });
  }
  return keptOf(all, undone);
}

/** By its name, which says it all: the database of the restore is known. */
async function findOne(session: Session, database: string, undone: UndoneRestore): Promise<Found> {
  const facts = await describeDatabase(session, database);
  const live = facts === undefined ? [] : [{ name: database, facts }];
  for (const uid of uidsOf(undone, live)) {
    const name = previousDatabaseName(database, { uid });
    const previous = await describeDatabase(session, name);
    if (previous?.notes.previousOf !== uid) continue;
    return { kept: [{ name, facts: previous, database, ...markIn(live, uid) }], live, nameless: [] };
  }
  return { kept: [], live, nameless: [] };
}

/** Of a whole server, by marks and notes. Pure. */
export function keptOf(all: readonly Named[], undone: UndoneRestore): Found {
  const live = all.filter(({ name, facts }) => replacedBy(facts.notes, name) === undefined);
  for (const uid of uidsOf(undone, live)) {
    const mine = all.filter(({ name, facts }) => replacedBy(facts.notes, name) === uid);
    if (mine.length === 0) continue;
    return {
      kept: mine.flatMap((each) => {
        const { previousName: database } = each.facts.notes;
        return database === undefined ? [] : [{ ...each, database, ...markIn(live, uid) }];
      }),
      live,
      nameless: mine.filter(({ facts }) => facts.notes.previousName === undefined).map(({ name }) => name),
    };
  }
  return { kept: [], live, nameless: [] };
}

/**
 * Its own first. A Restore that was made anew under its old name (a rebuilt cluster, a GitOps tool) found itself restored
 * already and replaced nothing: what its predecessor replaced bears the UID of that one.
 */
function uidsOf(undone: UndoneRestore, live: readonly Named[]): readonly string[] {
  const marks = live.flatMap(({ facts }) => facts.notes.restores).filter((mark) => isOf(mark, undone));
  return [...new Set([undone.uid, ...marks.map(({ uid }) => uid).reverse()])];
}

function isOf(mark: RestoreMark, { namespace, name, specHash }: UndoneRestore): boolean {
  return mark.namespace === namespace && mark.name === name && mark.specHash === specHash;
}

function markIn(live: readonly Named[], uid: string): { mark?: RestoreMark } {
  const mark = marksIn(live).find((each) => each.uid === uid);
  return mark === undefined ? {} : { mark };
}

const marksIn = (live: readonly Named[]) => live.flatMap(({ facts }) => facts.notes.restores);

/** Databases that the restore made where there was none: nothing of them is kept. */
export function madeBy({ live, kept }: Found, undone: UndoneRestore): readonly string[] {
  const uids = new Set([undone.uid, ...kept.flatMap(({ mark }) => mark?.uid ?? [])]);
  const bears = ({ restores }: DatabaseNotes) => restores.some(({ uid }) => uids.has(uid));
  return live
    .filter(({ name, facts }) => bears(facts.notes) && !kept.some(({ database }) => database === name))
    .map(({ name }) => name);
}
