import type { TargetPlan } from '../engine.ts';
import { wasRestored } from './marker.ts';
import { type PlanInput, refusalsOf } from './rights.ts';

/** What a restore would find, and what stands in its way. Pure. */
export function planOf(input: PlanInput): TargetPlan {
  const { facts, request } = input;
  const alreadyRestored = facts.live !== undefined && wasRestored(facts.live.notes, request.run);
  return {
    // Nothing will be done, so nothing is in the way.
    refusals: alreadyRestored ? [] : refusalsOf(input),
    alreadyRestored,
    server: facts.server.version,
    databaseExists: facts.live !== undefined,
    objects: facts.live?.objects ?? 0,
  };
}
