import type { Engine } from '../engine.ts';
import { cleanUp } from './clean-up.ts';
import { openSource } from './source.ts';
import { openTarget } from './target.ts';

export const postgres: Engine = {
  name: 'postgresql',
  openSource,
  openTarget: (database, login, request, context) => openTarget(database, login, request, context),
  cleanUp,
};
