/**
 * What a cluster has before anyone uses it: its node, storage classes and the standard namespaces.
 *
 * @module
 */
import { availableParallelism, totalmem } from 'node:os';
import type { V1Node, V1StorageClass } from '@kubernetes/client-node';
import type { Capabilities } from '../../port.ts';
import { defaultNamespaceObject } from '../defaults.ts';
import type { ObjectStore } from '../object-store.ts';
import { CAPABILITIES_ANNOTATION, namespaces, NODE_NAME, nodes, storageClasses } from '../resources.ts';

/** The version that clients are told: that of the real cluster the contract suite runs against. */
export const KUBERNETES_VERSION = 'v1.34.4';

/** Sandboxed processes share the machine's cores, so many more may be asked for than there are. */
const CPU_OVERCOMMIT = 32;

/** Creates what is missing; safe to repeat at every start. */
export function bootstrap(objects: ObjectStore, capabilities: Capabilities, now: Date): void {
  for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
    if (objects.get(namespaces, undefined, name) === undefined) objects.create(namespaces, defaultNamespaceObject(name));
  }
  for (const item of CLASSES)
    if (objects.get(storageClasses, undefined, item.metadata?.name ?? '') === undefined) objects.create(storageClasses, item);
  const node = nodeObject(capabilities, now);
  if (objects.get(nodes, undefined, NODE_NAME) === undefined) objects.create(nodes, node);
  // The machine may have changed since the last start.
  else
    objects.update<V1Node>(
      nodes,
      undefined,
      NODE_NAME,
      (present) => void Object.assign(present, { metadata: { ...present.metadata, ...node.metadata }, status: node.status }),
    );
}

function storageClass(name: string, isDefault: boolean): V1StorageClass {
  return {
    metadata: { name, ...(isDefault && { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } }) },
    provisioner: 'berth.local/folder',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
    allowVolumeExpansion: true,
  };
}

/** Named as GKE names them. */
const CLASSES = [
  storageClass('standard-rwo', true),
  storageClass('premium-rwo', false),
  storageClass('standard-rwx', false),
  storageClass('premium-rwx', false),
];

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

function nodeObject(capabilities: Capabilities, now: Date): V1Node {
  const architecture = ARCHITECTURES[process.arch] ?? process.arch;
  const resources = {
    cpu: String(availableParallelism() * CPU_OVERCOMMIT),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    'ephemeral-storage': '10Ti',
    pods: '1100',
  };
  const system = {
    architecture,
    operatingSystem: process.platform,
    kubeletVersion: KUBERNETES_VERSION,
    containerRuntimeVersion: 'berth://1',
    osImage: 'the machine itself',
  };
  const unknown = { bootID: '', kernelVersion: '', kubeProxyVersion: '', machineID: '', systemUUID: '' };
  return {
    metadata: {
      name: NODE_NAME,
      annotations: { [CAPABILITIES_ANNOTATION]: JSON.stringify(capabilities) },
      labels: {
        'kubernetes.io/hostname': NODE_NAME,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': architecture,
        'topology.kubernetes.io/zone': 'local-a',
        'cloud.google.com/gke-nodepool': 'default',
      },
    },
    spec: {},
    status: {
      capacity: resources,
      allocatable: resources,
      addresses: [
        { type: 'InternalIP', address: '127.0.0.1' },
        { type: 'Hostname', address: NODE_NAME },
      ],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'KubeletReady',
          message: 'kubelet is posting ready status',
          lastHeartbeatTime: now,
          lastTransitionTime: now,
        },
      ],
      nodeInfo: { ...unknown, ...system },
    },
  };
}
