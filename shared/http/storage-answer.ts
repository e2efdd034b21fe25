/**
 * Volumes and snapshots as callers see them.
 *
 * @module
 */
import { z } from '@hono/zod-openapi';
import { snapshotStatuses, volumeStatuses, volumeTypes, type SnapshotDocument, type VolumeDocument } from '../storage/model.ts';
import type { ClaimView } from '../storage/read.ts';

const time = z.string().openapi({ format: 'date-time' });

const volumeFields = {
  id: z.string(),
  name: z.string(),
  type: z.enum(volumeTypes),
  user: z.string(),
  namespace: z.string(),
  k8s_namespace: z.string(),
  claim_name: z.string().nullable(),
  bucket_name: z.string().nullable(),
  storage_class: z.string().nullable(),
  shared: z.boolean().openapi({ description: 'Sessions on several nodes may mount it at once.' }),
  size_gb: z.number(),
  status: z.enum(volumeStatuses),
  reason: z.string().nullable(),
  retain: z.boolean().openapi({ description: 'It stays when the last session that mounts it has ended.' }),
  sessions: z.array(z.string()).openapi({ description: 'Ids of the sessions that mount it.' }),
  snapshot_id: z.string().nullable().openapi({ description: 'The snapshot that it was made from.' }),
  created_at: time,
  updated_at: time,
};

export const volumeSchema = z.object(volumeFields).openapi('Volume');

export const volumeDetailsSchema = z
  .object({
    ...volumeFields,
    phase: z.string().nullable().openapi({ description: 'Of the claim, as Kubernetes says it now.', example: 'Bound' }),
    capacity_gb: z.number().nullable().openapi({ description: 'What the claim really has; null before its first mount.' }),
  })
  .openapi('VolumeDetails');

export const snapshotSchema = z
  .object({
    id: z.string(),
    volume_id: z.string(),
    user: z.string(),
    namespace: z.string(),
    size_gb: z.number(),
    status: z.enum(snapshotStatuses),
    reason: z.string().nullable(),
    created_at: time,
    updated_at: time,
  })
  .openapi('Snapshot');

export function volumeAnswer(volume: VolumeDocument): z.output<typeof volumeSchema> {
  const { id, name, type, user, namespace, k8s_namespace, claim_name, bucket_name, storage_class, shared, size_gb } = volume;
  const { status, reason, retain, sessions, snapshot_id, created_at, updated_at } = volume;
  return {
    ...{ id, name, type, user, namespace, k8s_namespace, claim_name, bucket_name, storage_class, shared, size_gb, status, reason, retain },
    ...{ sessions: Object.keys(sessions), snapshot_id, created_at, updated_at },
  };
}

export function volumeDetailsAnswer(volume: VolumeDocument, claim: ClaimView): z.output<typeof volumeDetailsSchema> {
  return { ...volumeAnswer(volume), phase: claim.phase, capacity_gb: claim.capacity_gb };
}

export function snapshotAnswer(snapshot: SnapshotDocument): z.output<typeof snapshotSchema> {
  const { id, volume_id, user, namespace, size_gb, status, reason, created_at, updated_at } = snapshot;
  return { id, volume_id, user, namespace, size_gb, status, reason, created_at, updated_at };
}
