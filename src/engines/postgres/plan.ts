import type { TargetPlan } from '../engine.ts';
import { wasRestored } from './marker.ts';
import { type PlanInput, refusalsOf } from './rights.ts';

/** What a restore would find, and what stands in its way. Pure. */
export function planOf(input: PlanInput): TargetPlan {
  const { facts, request } = input;
  return {
    refusals: refusalsOf(input),
    alreadyRestored: facts.live !== undefined && wasRestored(facts.live.notes, request.run),
    server: facts.server.version,
    databaseExists: facts.live !== undefined,
    objects: facts.live?.objects ?? 0,
  };
}
