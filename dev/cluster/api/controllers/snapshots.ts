/**
 * VolumeSnapshots: each gets its content, which the node fills with a copy of the volume's folder; both say when it is ready.
 *
 * @module
 */
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import type { VolumeSnapshot, VolumeSnapshotContent } from '../../snapshot-objects.ts';
import type { ObjectStore } from '../object-store.ts';
import { claims, snapshotContents, snapshots } from '../resources.ts';

const DRIVER = 'berth.local/folder';

export function startSnapshotController(objects: ObjectStore, now: () => Date): () => void {
  const unsubscribe = [
    objects.subscribe<VolumeSnapshot>(snapshots, ({ type, object }) => {
      if (type === 'DELETED') return removeContent(objects, object);
      if (object.status === undefined && object.metadata?.deletionTimestamp === undefined) begin(objects, object, now());
    }),
    objects.subscribe<VolumeSnapshotContent>(snapshotContents, ({ type, object }) => {
      if (type !== 'DELETED') mirror(objects, object);
    }),
  ];
  return () => unsubscribe.forEach((stop) => stop());
}

function begin(objects: ObjectStore, snapshot: VolumeSnapshot, now: Date): void {
  const { namespace = '', name = '', uid = '' } = snapshot.metadata ?? {};
  const claimName = snapshot.spec?.source?.persistentVolumeClaimName ?? '';
  const claim = objects.get<V1PersistentVolumeClaim>(claims, namespace, claimName);
  const volumeHandle = claim?.spec?.volumeName ?? '';
  if (claim?.status?.phase !== 'Bound' || volumeHandle === '') {
    const message =
      claim === undefined ? `persistentvolumeclaim "${claimName}" not found` : `the PVC ${claimName} is not yet bound to a PV`;
    objects.update<VolumeSnapshot>(snapshots, namespace, name, (object) => {
      object.status = { readyToUse: false, error: { time: now, message: `Failed to create snapshot content with error ${message}` } };
    });
    return;
  }
  const content = `snapcontent-${uid}`;
  const restoreSize = claim.status.capacity?.['storage'] ?? '0';
  if (objects.get(snapshotContents, undefined, content) === undefined) {
    objects.create<VolumeSnapshotContent>(snapshotContents, {
      metadata: { name: content },
      spec: {
        deletionPolicy: 'Delete',
        driver: DRIVER,
        source: { volumeHandle },
        volumeSnapshotRef: { kind: 'VolumeSnapshot', namespace, name, uid },
      },
      status: { readyToUse: false },
    });
  }
  objects.update<VolumeSnapshot>(snapshots, namespace, name, (object) => {
    object.status = { boundVolumeSnapshotContentName: content, creationTime: now, readyToUse: false, restoreSize };
  });
}

/** What the node says of the copy. */
function mirror(objects: ObjectStore, content: VolumeSnapshotContent): void {
  const { namespace = '', name = '', uid } = content.spec?.volumeSnapshotRef ?? {};
  const { readyToUse = false, error } = content.status ?? {};
  const snapshot = objects.get<VolumeSnapshot>(snapshots, namespace, name);
  if (snapshot?.metadata?.uid !== uid) return objects.remove(snapshotContents, undefined, content.metadata?.name ?? '');
  if (!readyToUse && error === undefined) return;
  objects.update<VolumeSnapshot>(snapshots, namespace, name, (object) => {
    object.status = { ...object.status, readyToUse, ...(error !== undefined && { error }) };
  });
}

/** The node sees it go and removes the copy. */
function removeContent(objects: ObjectStore, snapshot: VolumeSnapshot): void {
  const content = `snapcontent-${snapshot.metadata?.uid ?? ''}`;
  if (objects.get(snapshotContents, undefined, content) !== undefined) objects.remove(snapshotContents, undefined, content);
}

/** The content that a claim is to be made from; undefined where it asks for none; in words what keeps it from being used. */
export function dataSourceOf(
  objects: ObjectStore,
  claim: V1PersistentVolumeClaim,
): { readonly content?: string; readonly obstacle?: string } {
  const { kind, name = '' } = claim.spec?.dataSource ?? {};
  if (kind !== 'VolumeSnapshot') return {};
  const snapshot = objects.get<VolumeSnapshot>(snapshots, claim.metadata?.namespace, name);
  if (snapshot === undefined) return { obstacle: `snapshot ${name} not found` };
  const content = snapshot.status?.boundVolumeSnapshotContentName;
  if (snapshot.status?.readyToUse !== true || content === undefined) return { obstacle: `snapshot ${name} is not Ready` };
  return { content };
}
