/**
 * PersistentVolumeClaims: bound to a volume when their first pod is scheduled, kept while a pod uses them, grown, and released together
 * with their volume.
 *
 * @module
 */
import type { V1PersistentVolume, V1PersistentVolumeClaim, V1Pod, V1StorageClass } from '@kubernetes/client-node';
import type { ObjectStore } from '../object-store.ts';
import { quantityOf } from '../quantity.ts';
import { RESTORED_FROM } from '../../snapshot-objects.ts';
import { claims, NODE_NAME, pods, storageClasses, volumes } from '../resources.ts';
import { dataSourceOf } from './snapshots.ts';

const PROTECTION = 'kubernetes.io/pvc-protection';
const PROVISIONER = 'berth.local/folder';

/** The names of the claims that a pod mounts. */
export function claimNames(pod: V1Pod): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap((volume) => volume.persistentVolumeClaim?.claimName ?? []);
}

/** Binds a claim to a new volume `pvc-<uid>`, whose folder is the node's business. Returns why it cannot be, if so. */
export function bindClaim(objects: ObjectStore, claim: V1PersistentVolumeClaim): string | undefined {
  const { uid = '', namespace = '', name = '', resourceVersion = '' } = claim.metadata ?? {};
  const { storageClassName = '', accessModes = [], resources, volumeMode = 'Filesystem' } = claim.spec ?? {};
  const storageClass = objects.get<V1StorageClass>(storageClasses, undefined, storageClassName);
  // A class that is not there cannot say that it waits for a pod.
  if (storageClass === undefined) return 'pod has unbound immediate PersistentVolumeClaims';
  const isShared = accessModes.some((mode) => mode === 'ReadWriteMany' || mode === 'ReadOnlyMany');
  const unmountable = storageClassName.endsWith('-rwo') && isShared ? `a disk cannot be mounted with ${accessModes.join(', ')}` : undefined;
  const { content, obstacle = unmountable } = dataSourceOf(objects, claim);
  if (obstacle !== undefined) {
    const message = `failed to provision volume with StorageClass "${storageClassName}": ${obstacle}`;
    objects.recordEvent(claim, 'Warning', 'ProvisioningFailed', message, PROVISIONER);
    return `volume of claim "${name}" cannot be provisioned`;
  }
  const volumeName = `pvc-${uid}`;
  const capacity = { storage: resources?.requests?.['storage'] ?? '0' };
  if (objects.get(volumes, undefined, volumeName) === undefined) {
    objects.create<V1PersistentVolume>(volumes, {
      metadata: {
        name: volumeName,
        annotations: { 'pv.kubernetes.io/provisioned-by': PROVISIONER, ...(content !== undefined && { [RESTORED_FROM]: content }) },
        finalizers: ['kubernetes.io/pv-protection'],
      },
      spec: {
        capacity,
        accessModes,
        storageClassName,
        volumeMode,
        persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
        claimRef: { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid, resourceVersion },
        csi: { driver: PROVISIONER, volumeHandle: volumeName },
      },
      status: { phase: 'Bound' },
    });
  }
  markBound(objects, claim, volumeName, capacity);
  return undefined;
}

function markBound(objects: ObjectStore, claim: V1PersistentVolumeClaim, volumeName: string, capacity: Record<string, string>): void {
  const { namespace, name = '' } = claim.metadata ?? {};
  objects.update<V1PersistentVolumeClaim>(claims, namespace, name, (object) => {
    const { metadata = {} } = object;
    object.metadata = {
      ...metadata,
      annotations: { ...metadata.annotations, 'pv.kubernetes.io/bind-completed': 'yes', 'volume.kubernetes.io/selected-node': NODE_NAME },
    };
    object.spec = { ...object.spec, volumeName };
    object.status = { phase: 'Bound', accessModes: claim.spec?.accessModes ?? [], capacity };
  });
  objects.recordEvent(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${volumeName}`, PROVISIONER);
}

export function startClaimController(objects: ObjectStore): () => void {
  const unsubscribe = [
    objects.subscribe<V1PersistentVolumeClaim>(claims, ({ type, object }) => {
      if (type === 'DELETED') return releaseVolume(objects, object);
      if (object.metadata?.deletionTimestamp !== undefined) return unprotect(objects, object);
      if (type === 'ADDED' && object.status?.phase === 'Pending') announce(objects, object);
      grow(objects, object);
    }),
    objects.subscribe<V1Pod>(pods, ({ type, object }) => {
      if (type !== 'DELETED' && !hasEnded(object)) return;
      for (const name of claimNames(object)) {
        const claim = objects.get<V1PersistentVolumeClaim>(claims, object.metadata?.namespace, name);
        if (claim?.metadata?.deletionTimestamp !== undefined) unprotect(objects, claim);
      }
    }),
  ];
  return () => unsubscribe.forEach((stop) => stop());
}

/** What a claim that is not bound yet waits for. */
function announce(objects: ObjectStore, claim: V1PersistentVolumeClaim): void {
  const { storageClassName = '' } = claim.spec ?? {};
  const component = 'persistentvolume-controller';
  if (objects.get<V1StorageClass>(storageClasses, undefined, storageClassName) === undefined) {
    const message = `storageclass.storage.k8s.io "${storageClassName}" not found`;
    return objects.recordEvent(claim, 'Warning', 'ProvisioningFailed', message, component);
  }
  objects.recordEvent(claim, 'Normal', 'WaitForFirstConsumer', 'waiting for first consumer to be created before binding', component);
}

function hasEnded(pod: V1Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Lets a deleted claim go once no pod uses it. */
function unprotect(objects: ObjectStore, claim: V1PersistentVolumeClaim): void {
  const { namespace, name = '' } = claim.metadata ?? {};
  if (objects.list<V1Pod>(pods, namespace).some((pod) => !hasEnded(pod) && claimNames(pod).includes(name))) return;
  objects.update<V1PersistentVolumeClaim>(claims, namespace, name, ({ metadata }) => {
    if (metadata !== undefined) metadata.finalizers = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== PROTECTION);
  });
}

/** The node sees the volume go and removes its folder. */
function releaseVolume(objects: ObjectStore, claim: V1PersistentVolumeClaim): void {
  const name = claim.spec?.volumeName;
  const volume = name === undefined ? undefined : objects.get<V1PersistentVolume>(volumes, undefined, name);
  if (name === undefined || volume === undefined) return;
  if (volume.spec?.persistentVolumeReclaimPolicy === 'Delete') objects.remove(volumes, undefined, name);
  else objects.update<V1PersistentVolume>(volumes, undefined, name, (object) => void (object.status = { phase: 'Released' }));
}

function grow(objects: ObjectStore, claim: V1PersistentVolumeClaim): void {
  const { spec, status, metadata } = claim;
  const wanted = spec?.resources?.requests?.['storage'];
  if (status?.phase !== 'Bound' || wanted === undefined || spec?.volumeName === undefined) return;
  if (quantityOf(wanted).nano <= quantityOf(status.capacity?.['storage']).nano) return;
  const capacity = { storage: wanted };
  objects.update<V1PersistentVolume>(volumes, undefined, spec.volumeName, (volume) => void (volume.spec = { ...volume.spec, capacity }));
  objects.update<V1PersistentVolumeClaim>(
    claims,
    metadata?.namespace,
    metadata?.name ?? '',
    (object) => void (object.status = { ...object.status, capacity }),
  );
}
