/**
 * A volume's claim and its snapshots, as Kubernetes objects. Pure.
 *
 * @module
 */
import type { KubernetesObject, V1PersistentVolumeClaim } from '@kubernetes/client-node';
import type { SnapshotDocument, VolumeDocument } from '../storage/model.ts';
import { annotations, labels, ownerLabels, snapshotName } from './names.ts';

const MIB_PER_GIB = 1024;

/** GiB as a quantity: whole ones as people write them, others in MiB, rounded up. */
export function storageQuantity(sizeGib: number): string {
  return Number.isInteger(sizeGib) ? `${String(sizeGib)}Gi` : `${String(Math.ceil(sizeGib * MIB_PER_GIB))}Mi`;
}

type Claimed = Pick<
  VolumeDocument,
  'id' | 'incarnation' | 'name' | 'user' | 'k8s_namespace' | 'claim_name' | 'storage_class' | 'shared' | 'size_gb' | 'snapshot_id'
>;

/** https://kubernetes.io/docs/concepts/storage/persistent-volumes/#persistentvolumeclaims */
export function buildClaim(installation: string, volume: Claimed): V1PersistentVolumeClaim {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: volume.claim_name ?? '',
      namespace: volume.k8s_namespace,
      labels: { ...ownerLabels(installation, volume.user), [labels.volume]: volume.id, [labels.incarnation]: volume.incarnation },
      annotations: { [annotations.user]: volume.user, [annotations.volumeName]: volume.name },
    },
    spec: {
      accessModes: [volume.shared ? 'ReadWriteMany' : 'ReadWriteOnce'],
      ...(volume.storage_class !== null && { storageClassName: volume.storage_class }),
      resources: { requests: { storage: storageQuantity(volume.size_gb) } },
      ...(volume.snapshot_id !== null && {
        dataSource: { apiGroup: snapshotGroup, kind: 'VolumeSnapshot', name: snapshotName(volume.snapshot_id) },
      }),
    },
  };
}

/** https://kubernetes.io/docs/concepts/storage/volume-snapshots/ */
export const snapshotGroup = 'snapshot.storage.k8s.io';
export const snapshotVersion = 'v1';

export interface VolumeSnapshot extends KubernetesObject {
  readonly spec: { readonly source: { readonly persistentVolumeClaimName: string }; readonly volumeSnapshotClassName?: string };
  readonly status?: {
    readonly readyToUse?: boolean;
    readonly restoreSize?: string;
    readonly error?: { readonly message?: string };
  };
}

/** Without a class the cluster's default one makes it. */
export function buildSnapshot(
  installation: string,
  snapshot: Pick<SnapshotDocument, 'id' | 'user' | 'volume_id' | 'k8s_namespace' | 'snapshot_name'>,
  claim: string,
  snapshotClass: string | undefined,
): VolumeSnapshot {
  return {
    apiVersion: `${snapshotGroup}/${snapshotVersion}`,
    kind: 'VolumeSnapshot',
    metadata: {
      name: snapshot.snapshot_name,
      namespace: snapshot.k8s_namespace,
      labels: { ...ownerLabels(installation, snapshot.user), [labels.volume]: snapshot.volume_id, [labels.snapshot]: snapshot.id },
      annotations: { [annotations.user]: snapshot.user },
    },
    spec: {
      ...(snapshotClass !== undefined && { volumeSnapshotClassName: snapshotClass }),
      source: { persistentVolumeClaimName: claim },
    },
  };
}
