import { backupController } from './backup/observe.ts';
import { backupKeyController } from './backup-key/observe.ts';
import { backupScheduleController } from './backup-schedule/observe.ts';
import { backupStoreController } from './backup-store/observe.ts';
import type { AnyController } from './controller.ts';
import { databaseLockController } from './database-lock/observe.ts';
import { restoreController } from './restore/observe.ts';
import { scaleLeaseController } from './scale-lease/observe.ts';

/** Everything that the operator reconciles. */
export const CONTROLLERS: readonly AnyController[] = [
  backupStoreController,
  backupKeyController,
  backupScheduleController,
  backupController,
  restoreController,
  databaseLockController,
  scaleLeaseController,
];
