import { describe, expect, test } from 'vitest';
import { buildClaim, buildSnapshot, storageQuantity } from '../../../shared/pods/claims.ts';
import { buildPod, type PodInput } from '../../../shared/pods/manifest.ts';
import type { SessionVolume } from '../../../shared/storage/model.ts';
import { snapshotDocument, volumeDocument } from '../../fakes/volume-document.ts';

const input: PodInput = {
  installation: 'main',
  sessionId: '0123456789abcdefghjkmnpqrs',
  generation: 1,
  user: 'alice',
  namespace: 'research',
  kubernetesNamespace: 'berth-research',
  bucketName: 'berth-research-main',
  image: 'python:3.11-slim',
  resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { cpu: '500m', memory: '1Gi' } },
  workspaceSizeGib: 10,
  envNames: [],
  activeDeadlineSeconds: 86_400,
  helper: { hasSecret: false },
};

const bucket: SessionVolume = {
  volume_id: 'b',
  type: 'gcs_fuse',
  source: 'berth-research-0123456789',
  mount_path: '/workspace',
  read_only: false,
  size_gb: 10,
  shared: true,
};
const claim: SessionVolume = { ...bucket, volume_id: 'c', type: 'persistent_volume', source: 'berth-c', shared: false };

describe('the pod of a session with a bucket', () => {
  // https://cloud.google.com/kubernetes-engine/docs/how-to/cloud-storage-fuse-csi-driver-ephemeral
  test('is what GKE documents for the Cloud Storage FUSE CSI driver', () => {
    const pod = buildPod({ ...input, volumes: [bucket] });
    expect(pod.metadata?.annotations).toEqual({
      'berth.dev/user': 'alice',
      'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
      'gke-gcsfuse/volumes': 'true',
    });
    expect(pod.metadata?.labels).toMatchObject({ 'berth.dev/bucket': 'true' });
    expect(pod.spec?.serviceAccountName).toBe('berth-session');
    expect(pod.spec).not.toHaveProperty('affinity');
    expect(pod.spec?.volumes).toEqual([
      { name: 'tmp', emptyDir: { sizeLimit: '1Gi' } },
      {
        name: 'volume-0',
        csi: {
          driver: 'gcsfuse.csi.storage.gke.io',
          volumeAttributes: { bucketName: 'berth-research-0123456789', mountOptions: 'implicit-dirs,uid=1000,gid=1000' },
        },
      },
      { name: 'berth', emptyDir: { sizeLimit: '5Gi' } },
    ]);
    expect(pod.spec?.containers[0]?.volumeMounts).toEqual([
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'volume-0', mountPath: '/workspace' },
      { name: 'berth', mountPath: '/berth' },
    ]);
  });

  test('mounts what lies below a prefix, with the options asked for after those that Berth sets', () => {
    const mounted = { ...bucket, prefix: 'team/data', mount_options: ['file-mode=600'], read_only: true, mount_path: '/bucket' };
    const pod = buildPod({ ...input, volumes: [mounted] });
    expect(pod.spec?.volumes).toContainEqual({
      name: 'volume-0',
      csi: {
        driver: 'gcsfuse.csi.storage.gke.io',
        readOnly: true,
        volumeAttributes: {
          bucketName: 'berth-research-0123456789',
          mountOptions: 'implicit-dirs,uid=1000,gid=1000,only-dir=team/data,file-mode=600',
        },
      },
    });
    expect(pod.spec?.containers[0]?.volumeMounts).toContainEqual({ name: 'volume-0', mountPath: '/bucket', readOnly: true });
  });
});

describe('the pod of a session with a claim', () => {
  test('has it in the place of the workspace, and is put where the other pods of the claim are', () => {
    const pod = buildPod({ ...input, volumes: [claim] });
    expect(pod.spec?.volumes?.filter(({ emptyDir }) => emptyDir === undefined)).toEqual([
      { name: 'volume-0', persistentVolumeClaim: { claimName: 'berth-c' } },
    ]);
    expect(pod.spec?.volumes?.map(({ name }) => name)).not.toContain('workspace');
    expect(pod.metadata?.labels).toMatchObject({ 'volume.berth.dev/berth-c': 'true' });
    expect(pod.metadata?.annotations).not.toHaveProperty('gke-gcsfuse/volumes');
    expect(pod.spec?.affinity).toEqual({
      podAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { labelSelector: { matchLabels: { 'volume.berth.dev/berth-c': 'true' } }, topologyKey: 'kubernetes.io/hostname' },
        ],
      },
    });
    expect(pod.spec?.containers[0]?.resources?.limits).toMatchObject({ 'ephemeral-storage': '7Gi' });
  });

  test('goes anywhere where the claim can be mounted anywhere', () => {
    const pod = buildPod({ ...input, volumes: [{ ...claim, shared: true }] });
    expect(pod.spec).not.toHaveProperty('affinity');
    expect(Object.keys(pod.metadata?.labels ?? {}).filter((key) => key.startsWith('volume.berth.dev/'))).toEqual([]);
  });

  test('mounts what lies within another mount after that one', () => {
    const inner = { ...claim, volume_id: 'd', source: 'berth-d', mount_path: '/workspace/data' };
    const pod = buildPod({ ...input, volumes: [inner, claim] });
    expect(pod.spec?.containers[0]?.volumeMounts?.map(({ mountPath }) => mountPath)).toEqual([
      '/tmp',
      '/workspace',
      '/workspace/data',
      '/berth',
    ]);
  });
});

test('a pod with accelerators asks for whole ones, on nodes that have the type', () => {
  const pod = buildPod({ ...input, gpu: { type: 'nvidia-tesla-t4', count: 2 } });
  expect(pod.spec?.nodeSelector).toEqual({ 'cloud.google.com/gke-accelerator': 'nvidia-tesla-t4' });
  expect(pod.spec?.containers[0]?.resources).toMatchObject({ requests: { 'nvidia.com/gpu': '2' }, limits: { 'nvidia.com/gpu': '2' } });
  expect(buildPod({ ...input, gpu: { type: null, count: 1 } }).spec).not.toHaveProperty('nodeSelector');
});

describe('a claim', () => {
  test('says whose it is and which volume it is of', () => {
    expect(buildClaim('main', volumeDocument({ user: 'alice@example.com' }))).toEqual({
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: {
        name: 'berth-0123456789abcdef0123456789abcdef',
        namespace: 'berth-u-alice',
        labels: {
          'app.kubernetes.io/managed-by': 'berth',
          'berth.dev/installation': 'main',
          'berth.dev/user': 'alice-example-com--ff8d9819fc0e',
          'berth.dev/volume': '0123456789abcdef0123456789abcdef',
          'berth.dev/incarnation': 'first',
        },
        annotations: { 'berth.dev/user': 'alice@example.com', 'berth.dev/volume-name': 'data' },
      },
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'standard-rwo', resources: { requests: { storage: '10Gi' } } },
    });
  });

  test('may be mounted by many where it is shared, and may be a copy of a snapshot', () => {
    const spec = buildClaim('main', volumeDocument({ shared: true, snapshot_id: 's1' })).spec;
    expect(spec?.accessModes).toEqual(['ReadWriteMany']);
    expect(spec?.dataSource).toEqual({ apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'berth-s1' });
  });

  test('has a size in whole units of Kubernetes, rounded up', () => {
    expect([10, 0.5, 1.3].map(storageQuantity)).toEqual(['10Gi', '512Mi', '1332Mi']);
  });
});

test('a snapshot names its claim, and its class only where one is configured', () => {
  const snapshot = snapshotDocument();
  expect(buildSnapshot('main', snapshot, 'berth-c', undefined)).toEqual({
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: {
      name: snapshot.snapshot_name,
      namespace: 'berth-u-alice',
      labels: {
        'app.kubernetes.io/managed-by': 'berth',
        'berth.dev/installation': 'main',
        'berth.dev/user': 'alice',
        'berth.dev/volume': snapshot.volume_id,
        'berth.dev/snapshot': snapshot.id,
      },
      annotations: { 'berth.dev/user': 'alice' },
    },
    spec: { source: { persistentVolumeClaimName: 'berth-c' } },
  });
  expect(buildSnapshot('main', snapshot, 'berth-c', 'fast').spec.volumeSnapshotClassName).toBe('fast');
});
