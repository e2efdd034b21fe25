/**
 * What a session's pod mounts beside its own folders: claims and buckets. Pure.
 *
 * @module
 */
import type { V1PodAffinityTerm, V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import type { SessionVolume } from '../storage/model.ts';
import type { PodDraft } from './manifest.ts';
import { labels, mountLabel } from './names.ts';

/** https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-ephemeral */
export const bucketDriver = 'gcsfuse.csi.storage.gke.io';
/** Has GKE's webhook put the driver's sidecar into the pod. */
const bucketAnnotation = 'gke-gcsfuse/volumes';

/** Set always: files belong to the session's user and group, and folders that only the objects' names imply are there. */
export const bucketOptions = ['implicit-dirs', 'uid=1000', 'gid=1000'] as const;

/** Adds volumes, mounts, labels and affinity; what is mounted first stands first, so that a mount within a mount comes after it. */
export function withVolumes(pod: PodDraft, { volumes = [] }: { readonly volumes?: readonly SessionVolume[] | undefined }): PodDraft {
  if (volumes.length === 0) return pod;
  const named = volumes.map((volume, index) => ({ ...volume, name: `volume-${String(index)}` }));
  const sources = named.map(sourceOf);
  const mounts = named.map(mountOf).toSorted((left, right) => left.mountPath.length - right.mountPath.length);
  const claims = [...new Set(volumes.filter(isOnOneNode).map(({ source }) => source))];
  const hasBucket = volumes.some(({ type }) => type === 'gcs_fuse');
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata?.labels,
        ...Object.fromEntries(claims.map((claim) => [mountLabel(claim), 'true'] as const)),
        ...(hasBucket && { [labels.bucket]: 'true' }),
      },
      annotations: { ...pod.metadata?.annotations, ...(hasBucket && { [bucketAnnotation]: 'true' }) },
    },
    spec: {
      ...pod.spec,
      ...(claims.length > 0 && { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: claims.map(sameNode) } } }),
      volumes: [...(pod.spec.volumes ?? []), ...sources],
      containers: pod.spec.containers.map((container) => ({
        ...container,
        volumeMounts: [...(container.volumeMounts ?? []), ...mounts],
      })),
    },
  };
}

/** A disk can be attached to one node at a time (`ReadWriteOnce`), where any number of pods may mount it. */
function isOnOneNode({ type, shared }: SessionVolume): boolean {
  return type === 'persistent_volume' && !shared;
}

/** The first pod meets it by itself: the scheduler counts a pod among those it looks for where there is no other. */
function sameNode(claim: string): V1PodAffinityTerm {
  return { labelSelector: { matchLabels: { [mountLabel(claim)]: 'true' } }, topologyKey: 'kubernetes.io/hostname' };
}

type Named = SessionVolume & { readonly name: string };

function sourceOf({ name, type, source, read_only: readOnly, prefix, mount_options: options = [] }: Named): V1Volume {
  if (type === 'persistent_volume') return { name, persistentVolumeClaim: { claimName: source } };
  const mountOptions = [...bucketOptions, ...(prefix === undefined ? [] : [`only-dir=${prefix}`]), ...options].join(',');
  return {
    name,
    csi: { driver: bucketDriver, ...(readOnly && { readOnly: true }), volumeAttributes: { bucketName: source, mountOptions } },
  };
}

function mountOf({ name, mount_path: mountPath, read_only: readOnly }: Named): V1VolumeMount {
  return { name, mountPath, ...(readOnly && { readOnly: true }) };
}
