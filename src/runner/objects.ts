import { type ObjectsOutcome, TERMINATION_MESSAGE_LIMIT } from '../api/task.ts';
import type { ObjectsReport } from '../engines/engine.ts';
import { cut } from '../lib/text.ts';

/** The rest of a report has room beside them. */
const NAMES_BYTES = TERMINATION_MESSAGE_LIMIT - 1024;
const NAME_LENGTH = 200;

/** What a report can tell of many objects: how many, and the first of each kind. All of them are in the log. */
export function toldOf({ added, kept, replaced }: ObjectsReport): ObjectsOutcome {
  for (let most = 50; ; most = Math.floor(most / 2)) {
    const first = (labels: readonly string[]) => labels.slice(0, most).map((label) => cut(label, NAME_LENGTH));
    const told: ObjectsOutcome = {
      ...{ added: first(added), addedCount: added.length, kept: first(kept), keptCount: kept.length },
      ...{ replaced: first(replaced), replacedCount: replaced.length },
    };
    if (most === 0 || Buffer.byteLength(JSON.stringify(told)) <= NAMES_BYTES) return told;
  }
}
