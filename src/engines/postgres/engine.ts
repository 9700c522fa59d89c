import type { Engine } from '../engine.ts';
import { cleanUp } from './clean-up.ts';
import { openInstanceSource } from './instance-source.ts';
import { openInstanceTarget } from './instance-target.ts';
import { recall } from './loaded.ts';
import { openSource } from './source.ts';
import { openTarget } from './target.ts';
import { openThrowaway } from './throwaway.ts';
import { openUndo } from './undo.ts';

export const postgres: Engine = {
  name: 'postgresql',
  openSource,
  openInstanceSource,
  openTarget: (database, login, request, context) => openTarget(database, login, request, context),
  openInstanceTarget: (server, login, request, context) => openInstanceTarget(server, login, request, context),
  recall,
  openUndo: (server, login, request, context) => openUndo(server, login, request, context),
  cleanUp,
  openThrowaway,
};
