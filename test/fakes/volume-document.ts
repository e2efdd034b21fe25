import type { SnapshotDocument, VolumeDocument } from '../../shared/storage/model.ts';

/** A volume of alice that nobody mounts, with what the test says over it. */
export function volumeDocument(fields: Partial<VolumeDocument> = {}): VolumeDocument {
  return {
    id: '0123456789abcdef0123456789abcdef',
    incarnation: 'first',
    type: 'persistent_volume',
    name: 'data',
    user: 'alice',
    namespace: 'u-alice',
    k8s_namespace: 'berth-u-alice',
    claim_name: 'berth-0123456789abcdef0123456789abcdef',
    bucket_name: null,
    bucket_is_ours: false,
    storage_class: 'standard-rwo',
    shared: false,
    size_gb: 10,
    status: 'ready',
    reason: null,
    retain: true,
    sessions: {},
    grants: {},
    snapshot_id: null,
    created_at: '2026-03-01T11:59:00.000Z',
    updated_at: '2026-03-01T11:59:01.000Z',
    due_at: null,
    purge_at: null,
    ...fields,
  };
}

/** Of that volume, ready. */
export function snapshotDocument(fields: Partial<SnapshotDocument> = {}): SnapshotDocument {
  return {
    id: '0123456789abcdefghjkmnpqrs',
    volume_id: '0123456789abcdef0123456789abcdef',
    user: 'alice',
    namespace: 'u-alice',
    k8s_namespace: 'berth-u-alice',
    snapshot_name: 'berth-0123456789abcdefghjkmnpqrs',
    size_gb: 10,
    status: 'ready',
    reason: null,
    created_at: '2026-03-01T11:59:00.000Z',
    updated_at: '2026-03-01T11:59:01.000Z',
    due_at: null,
    purge_at: null,
    ...fields,
  };
}
