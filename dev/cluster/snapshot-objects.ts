/**
 * Snapshots of volumes as both halves of the embedded cluster see them: `api/` keeps the objects, `node/` copies the folders.
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import type { Resource } from './port.ts';

const snapshotApi = { group: 'snapshot.storage.k8s.io', version: 'v1' } as const;

export const snapshotContentResource: Resource = { ...snapshotApi, plural: 'volumesnapshotcontents' };

/** https://kubernetes.io/docs/concepts/storage/volume-snapshots/#volumesnapshots */
export interface VolumeSnapshot extends KubernetesObject {
  spec?: { source?: { persistentVolumeClaimName?: string }; volumeSnapshotClassName?: string };
  status?: {
    boundVolumeSnapshotContentName?: string;
    creationTime?: Date;
    readyToUse?: boolean;
    restoreSize?: string;
    error?: { time?: Date; message?: string };
  };
}

/** https://kubernetes.io/docs/concepts/storage/volume-snapshots/#volume-snapshot-contents */
export interface VolumeSnapshotContent extends KubernetesObject {
  spec?: {
    deletionPolicy: 'Delete';
    driver: string;
    /** Name of the persistent volume. */
    source: { volumeHandle: string };
    volumeSnapshotRef: { kind: 'VolumeSnapshot'; namespace: string; name: string; uid: string };
  };
  status?: { readyToUse?: boolean; snapshotHandle?: string; error?: { message?: string } };
}

/** On a persistent volume: the name of the content that it is made from. */
export const RESTORED_FROM = 'berth.local/restored-from';
