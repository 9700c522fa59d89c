import type { TargetPlan } from '../engine.ts';
import { wasRestored } from './marker.ts';
import { inPlaceRefusalsOf, type PlanInput, refusalsOf } from './rights.ts';

/** What a restore would find, and what stands in its way. Pure. */
export function planOf(input: PlanInput): TargetPlan {
  return planBy(input, refusalsOf);
}

/** The same where nothing is swapped. */
export function planInPlaceOf(input: PlanInput): TargetPlan {
  return { ...planBy(input, inPlaceRefusalsOf), inPlace: true };
}

function planBy(input: PlanInput, refusalsOf: (input: PlanInput) => TargetPlan['refusals']): TargetPlan {
  const { facts, request } = input;
  const alreadyRestored = facts.live !== undefined && wasRestored(facts.live.notes, request.run);
  const warnings = alreadyRestored ? [] : warningsOf(input);
  return {
    // Nothing will be done, so nothing is in the way.
    refusals: alreadyRestored ? [] : refusalsOf(input),
    alreadyRestored,
    server: facts.server.version,
    databaseExists: facts.live !== undefined,
    objects: facts.live?.objects ?? 0,
    ...(warnings.length === 0 ? {} : { warnings }),
  };
}

function warningsOf({ facts: { self }, request }: PlanInput): readonly string[] {
  if (!self.superuser || request.owner !== undefined) return [];
  return [
    `"${self.name}" is a superuser: whatever SQL is in the archive runs with every right on the server. An archive that is not trusted is given to a role by target.postgresql.ownership`,
  ];
}
