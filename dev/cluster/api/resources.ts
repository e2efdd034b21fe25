/**
 * The written table of what the embedded cluster serves: kinds, verbs, subresources and the fields a field selector may name.
 * Everything else answers 501.
 *
 * @module
 */
import type { Resource } from '../port.ts';

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

export interface Kind extends Resource {
  readonly kind: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly verbs: readonly Verb[];
  readonly subresources: readonly string[];
  /** Names are DNS labels (63 characters, no dots) instead of DNS subdomains. */
  readonly labelName: boolean;
  /** `metadata.generation` counts changes of the spec. */
  readonly generation: boolean;
  /** A delete answers the object, as the real server does for this kind, instead of a `Status`. */
  readonly answersDeleted: boolean;
  /** Fields that a field selector may name, beside `metadata.name` and `metadata.namespace`. */
  readonly selectable: readonly string[];
}

const READ: readonly Verb[] = ['get', 'list', 'watch'];
const ALL: readonly Verb[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

type Options = Partial<Omit<Kind, keyof Resource | 'kind' | 'singular'>>;

function define(groupVersion: string, plural: string, kind: string, options: Options = {}): Kind {
  const [version = '', group = ''] = groupVersion.split('/').toReversed();
  const defaults = {
    shortNames: [],
    namespaced: true,
    verbs: ALL,
    subresources: [],
    labelName: false,
    generation: false,
    answersDeleted: false,
    selectable: [],
  };
  return { ...defaults, ...options, group, version, plural, kind, singular: kind.toLowerCase() };
}

const POD_FIELDS = ['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'status.phase', 'status.podIP'];
const EVENT_FIELDS = [
  ...['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((field) => `involvedObject.${field}`),
  ...['reason', 'reportingComponent', 'type'],
];

export const namespaces = define('v1', 'namespaces', 'Namespace', {
  shortNames: ['ns'],
  namespaced: false,
  verbs: ALL.filter((verb) => verb !== 'deletecollection'),
  subresources: ['status', 'finalize'],
  labelName: true,
  answersDeleted: true,
  selectable: ['status.phase'],
});
export const pods = define('v1', 'pods', 'Pod', {
  shortNames: ['po'],
  subresources: ['status', 'log', 'exec', 'attach', 'portforward', 'eviction'],
  generation: true,
  answersDeleted: true,
  selectable: POD_FIELDS,
});
export const secrets = define('v1', 'secrets', 'Secret', { selectable: ['type'] });
/** Not Berth's own: what a pod may mount, for those who work with `kubectl`. */
export const configMaps = define('v1', 'configmaps', 'ConfigMap', { shortNames: ['cm'] });
export const serviceAccounts = define('v1', 'serviceaccounts', 'ServiceAccount', { shortNames: ['sa'], answersDeleted: true });
export const resourceQuotas = define('v1', 'resourcequotas', 'ResourceQuota', {
  shortNames: ['quota'],
  subresources: ['status'],
  answersDeleted: true,
});
export const limitRanges = define('v1', 'limitranges', 'LimitRange', { shortNames: ['limits'] });
export const claims = define('v1', 'persistentvolumeclaims', 'PersistentVolumeClaim', {
  shortNames: ['pvc'],
  subresources: ['status'],
  answersDeleted: true,
});
export const volumes = define('v1', 'persistentvolumes', 'PersistentVolume', {
  shortNames: ['pv'],
  namespaced: false,
  verbs: READ,
  answersDeleted: true,
});
export const events = define('v1', 'events', 'Event', { shortNames: ['ev'], selectable: EVENT_FIELDS });
export const nodes = define('v1', 'nodes', 'Node', { shortNames: ['no'], namespaced: false, verbs: READ });
export const networkPolicies = define('networking.k8s.io/v1', 'networkpolicies', 'NetworkPolicy', {
  shortNames: ['netpol'],
  generation: true,
});
/** Not Kubernetes' own: served as a cluster with the snapshot controller serves them. */
export const snapshots = define('snapshot.storage.k8s.io/v1', 'volumesnapshots', 'VolumeSnapshot', {
  shortNames: ['vs'],
  subresources: ['status'],
  generation: true,
});
export const snapshotContents = define('snapshot.storage.k8s.io/v1', 'volumesnapshotcontents', 'VolumeSnapshotContent', {
  shortNames: ['vsc'],
  namespaced: false,
  verbs: READ,
});
export const storageClasses = define('storage.k8s.io/v1', 'storageclasses', 'StorageClass', {
  shortNames: ['sc'],
  namespaced: false,
  verbs: READ,
});

export const kinds: readonly Kind[] = [
  namespaces,
  pods,
  secrets,
  configMaps,
  serviceAccounts,
  resourceQuotas,
  limitRanges,
  claims,
  volumes,
  events,
  nodes,
  networkPolicies,
  storageClasses,
  snapshots,
  snapshotContents,
];

/** The row of a resource; `undefined` for what is not served. */
export function findKind(resource: Resource): Kind | undefined {
  return kinds.find(({ group, version, plural }) => group === resource.group && version === resource.version && plural === resource.plural);
}

/** `v1`, `networking.k8s.io/v1`. */
export function apiVersion(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** The one node, as `pod.spec.nodeName` and `kubectl get nodes` name it. */
export const NODE_NAME = 'berth-local';

/** Where the node's object says, as JSON, what this cluster can do (`Capabilities`). */
export const CAPABILITIES_ANNOTATION = 'berth.dev/capabilities';
