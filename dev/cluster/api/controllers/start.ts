/**
 * All controllers together.
 *
 * @module
 */
import type { Capabilities } from '../../port.ts';
import type { ObjectStore } from '../object-store.ts';
import { bootstrap } from './bootstrap.ts';
import { startClaimController } from './claims.ts';
import { startGarbageCollector } from './garbage.ts';
import { startNamespaceController } from './namespaces.ts';
import { startQuotaController } from './quota.ts';
import { startScheduler } from './scheduler.ts';
import { startSnapshotController } from './snapshots.ts';

export interface Controllers {
  /** Stops all of them; to be called before the store is closed. */
  close(): void;
}

export interface ControllersOptions {
  readonly capabilities: Capabilities;
  readonly now?: () => Date;
}

/** Makes what every cluster has and starts the controllers. They first look at every object there is, so an interrupted run is finished. */
export function startControllers(objects: ObjectStore, { capabilities, now = () => new Date() }: ControllersOptions): Controllers {
  bootstrap(objects, capabilities, now());
  const stops = [
    startNamespaceController(objects, now),
    startGarbageCollector(objects, now),
    startQuotaController(objects),
    startClaimController(objects),
    startSnapshotController(objects, now),
    startScheduler(objects, now),
  ];
  return { close: () => stops.forEach((stop) => stop()) };
}
