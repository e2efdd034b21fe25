/**
 * What the routes ask of the storage domain.
 *
 * @module
 */
import { recordAudit, type AuditEntry } from '../audit/record.ts';
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { snapshotKey, volumeKey } from '../sessions/collections.ts';
import { createVolume } from './create.ts';
import type { ChangeVolumeRequest, CreateVolumeRequest } from './create-request.ts';
import { deleteVolume } from './delete.ts';
import { updateVolume } from './grow.ts';
import { listVolumes, type VolumeFilters, type VolumePage } from './list.ts';
import type { SnapshotDocument, VolumeDocument } from './model.ts';
import { getVolume, type VolumeView } from './read.ts';
import { getSnapshot, listSnapshots, removeSnapshot, takeSnapshot } from './snapshots.ts';

export interface SnapshotPage {
  readonly limit: number;
  readonly cursor?: string;
}

/** All of them throw `AppError`. */
export interface StorageServices {
  listVolumes(caller: Caller, filters: VolumeFilters): Promise<VolumePage>;
  createVolume(caller: Caller, body: CreateVolumeRequest): Promise<VolumeDocument>;
  getVolume(caller: Caller, id: string): Promise<VolumeView>;
  updateVolume(caller: Caller, id: string, change: ChangeVolumeRequest): Promise<VolumeDocument>;
  deleteVolume(caller: Caller, id: string): Promise<'deleting' | 'deleted'>;
  listSnapshots(
    caller: Caller,
    volumeId: string,
    page: SnapshotPage,
  ): Promise<{ readonly snapshots: readonly SnapshotDocument[]; readonly nextCursor: string | null }>;
  takeSnapshot(caller: Caller, volumeId: string): Promise<SnapshotDocument>;
  getSnapshot(caller: Caller, volumeId: string, id: string): Promise<SnapshotDocument>;
  removeSnapshot(caller: Caller, volumeId: string, id: string): Promise<void>;
}

export function createStorageServices(deps: Deps): StorageServices {
  const audit = (caller: Caller, action: string, target: string, user: string | undefined, detail: AuditEntry['detail'] = {}) =>
    recordAudit(deps, { caller, action, target, detail, ...(user === undefined ? {} : { user }) });
  return {
    listVolumes: (caller, filters) => listVolumes(deps, caller, filters),
    createVolume: async (caller, body) => {
      const volume = await createVolume(deps, caller, body);
      const { id, user, name, type, size_gb } = volume;
      await audit(caller, 'volume.create', `storage/${id}`, user, { name, type, size_gb });
      return volume;
    },
    getVolume: (caller, id) => getVolume(deps, caller, id),
    updateVolume: async (caller, id, change) => {
      const volume = await updateVolume(deps, caller, id, change);
      await audit(caller, 'volume.update', `storage/${id}`, volume.user, { size_gb: volume.size_gb, retain: volume.retain });
      return volume;
    },
    deleteVolume: async (caller, id) => {
      const status = await deleteVolume(deps, caller, id);
      const volume = await deps.store.get<VolumeDocument>(volumeKey(id));
      await audit(caller, 'volume.delete', `storage/${id}`, volume?.data.user);
      return status;
    },
    listSnapshots: (caller, volumeId, page) => listSnapshots(deps, caller, volumeId, page),
    takeSnapshot: async (caller, volumeId) => {
      const snapshot = await takeSnapshot(deps, caller, volumeId);
      await audit(caller, 'snapshot.create', `storage/${volumeId}/snapshots/${snapshot.id}`, snapshot.user);
      return snapshot;
    },
    getSnapshot: (caller, volumeId, id) => getSnapshot(deps, caller, volumeId, id),
    removeSnapshot: async (caller, volumeId, id) => {
      await removeSnapshot(deps, caller, volumeId, id);
      const snapshot = await deps.store.get<SnapshotDocument>(snapshotKey(id));
      await audit(caller, 'snapshot.delete', `storage/${volumeId}/snapshots/${id}`, snapshot?.data.user);
    },
  };
}
