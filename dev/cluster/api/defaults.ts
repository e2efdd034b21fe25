/**
 * The defaults that Kubernetes writes into new objects and that clients read back.
 *
 * @module
 */
import type {
  KubernetesObject,
  V1Container,
  V1Namespace,
  V1NetworkPolicy,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodSpec,
  V1Probe,
  V1ResourceQuota,
  V1Secret,
  V1StorageClass,
  V1Toleration,
  V1Volume,
} from '@kubernetes/client-node';
import type { LimitRange, Quantities } from './limit-range.ts';
import { formatQuantity, parseQuantity } from './quantity.ts';
import type { Kind } from './resources.ts';
import { allContainers } from './validation/pod.ts';

/** What defaults depend on beside the object itself. */
export interface DefaultsContext {
  readonly storageClasses: readonly V1StorageClass[];
}

/** Fills in an object in place, new or changed, before admission; quantities get their canonical form. */
export function applyDefaults(kind: Kind, object: KubernetesObject): void {
  switch (kind.plural) {
    case 'pods':
      return defaultPod(object);
    case 'secrets':
      return defaultSecret(object);
    case 'persistentvolumeclaims':
      return defaultClaim(object);
    case 'resourcequotas':
      return defaultQuota(object);
    case 'limitranges':
      return defaultLimitRange(object);
    case 'networkpolicies':
      return defaultNetworkPolicy(object);
    case 'events':
      return defaultEvent(object);
  }
}

/** What only a new object gets: its first status, a claim's storage class. */
export function begin(kind: Kind, object: KubernetesObject, context: DefaultsContext): void {
  switch (kind.plural) {
    case 'pods':
      return beginPod(object);
    case 'namespaces':
      return beginNamespace(object);
    case 'persistentvolumeclaims':
      return beginClaim(object, context.storageClasses);
    case 'resourcequotas':
      return setEmptyStatus(object);
  }
}

/** Rewrites quantities in their canonical form. What is none was refused before. */
function canonical(quantities: Quantities | undefined): void {
  for (const [name, value] of Object.entries(quantities ?? {})) {
    const quantity = parseQuantity(value);
    if (quantities !== undefined && quantity !== undefined) quantities[name] = formatQuantity(quantity);
  }
}

function defaultPod(pod: V1Pod): void {
  pod.spec ??= { containers: [] };
  pod.spec.containers ??= [];
  const spec = pod.spec;
  spec.restartPolicy ??= 'Always';
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ??= 'ClusterFirst';
  spec.securityContext ??= {};
  spec.schedulerName ??= 'default-scheduler';
  spec.enableServiceLinks ??= true;
  spec.priority ??= 0;
  spec.preemptionPolicy ??= 'PreemptLowerPriority';
  defaultTolerations(spec);
  spec.volumes?.forEach(defaultVolume);
  allContainers(spec).forEach(defaultContainer);
}

function beginPod(pod: V1Pod): void {
  pod.status = { phase: 'Pending', qosClass: qosClass(pod.spec ?? { containers: [] }) };
}

/** A pod tolerates the loss of its node for five minutes unless it says otherwise. */
function defaultTolerations(spec: V1PodSpec): void {
  const tolerations = spec.tolerations ?? [];
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const tolerated = ({ key: own, effect }: V1Toleration): boolean =>
      (own === undefined || own === key) && (effect === undefined || effect === 'NoExecute');
    if (!tolerations.some(tolerated)) tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
  }
  spec.tolerations = tolerations;
}

function defaultVolume(volume: V1Volume): void {
  if (Object.keys(volume).length === 1) volume.emptyDir = {};
  for (const source of [volume.secret, volume.configMap, volume.projected, volume.downwardAPI]) if (source) source.defaultMode ??= 0o644;
  if (volume.emptyDir?.sizeLimit !== undefined) {
    const quantity = parseQuantity(volume.emptyDir.sizeLimit);
    if (quantity !== undefined) volume.emptyDir.sizeLimit = formatQuantity(quantity);
  }
}

function defaultContainer(container: V1Container): void {
  const { image = '' } = container;
  const tagged = /:[^/]+$/.test(image) || image.includes('@');
  container.imagePullPolicy ??= !tagged || image.endsWith(':latest') ? 'Always' : 'IfNotPresent';
  container.terminationMessagePath ??= '/dev/termination-log';
  container.terminationMessagePolicy ??= 'File';
  container.resources ??= {};
  canonical(container.resources.limits);
  canonical(container.resources.requests);
  const { limits } = container.resources;
  if (limits !== undefined) container.resources.requests = { ...limits, ...container.resources.requests };
  container.ports?.forEach((port) => (port.protocol ??= 'TCP'));
  for (const { valueFrom } of container.env ?? []) if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ??= 'v1';
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) if (probe) defaultProbe(probe);
}

function defaultProbe(probe: V1Probe): void {
  probe.timeoutSeconds ??= 1;
  probe.periodSeconds ??= 10;
  probe.successThreshold ??= 1;
  probe.failureThreshold ??= 3;
  if (probe.httpGet) {
    probe.httpGet.path ??= '/';
    probe.httpGet.scheme ??= 'HTTP';
  }
}

/** `Guaranteed`: every container limits cpu and memory and requests just that; `BestEffort`: nobody asks for anything. */
export function qosClass(spec: V1PodSpec): string {
  const containers = allContainers(spec);
  const compute = ['cpu', 'memory'];
  const named = (quantities: Quantities = {}): boolean => compute.some((name) => name in quantities);
  if (!containers.some(({ resources }) => named(resources?.limits) || named(resources?.requests))) return 'BestEffort';
  const guaranteed = containers.every(({ resources }) =>
    compute.every(
      (name) =>
        resources?.limits?.[name] !== undefined && (resources.requests?.[name] ?? resources.limits[name]) === resources.limits[name],
    ),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function beginNamespace(namespace: V1Namespace): void {
  const { metadata = {} } = namespace;
  namespace.metadata = { ...metadata, labels: { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name ?? '' } };
  namespace.spec = { finalizers: ['kubernetes'] };
  namespace.status = { phase: 'Active' };
}

/** A namespace that no request asked for, as one would have made it. */
export function defaultNamespaceObject(name: string): V1Namespace {
  const namespace: V1Namespace = { metadata: { name } };
  beginNamespace(namespace);
  return namespace;
}

function defaultSecret(secret: V1Secret): void {
  secret.type ??= 'Opaque';
  if (secret.stringData === undefined) return;
  const encoded = Object.entries(secret.stringData).map(([key, value]) => [key, Buffer.from(value).toString('base64')] as const);
  secret.data = { ...secret.data, ...Object.fromEntries(encoded) };
  delete secret.stringData;
}

const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

function defaultClaim(claim: V1PersistentVolumeClaim): void {
  claim.spec ??= {};
  claim.spec.volumeMode ??= 'Filesystem';
  canonical(claim.spec.resources?.requests);
}

function beginClaim(claim: V1PersistentVolumeClaim, classes: readonly V1StorageClass[]): void {
  const spec = (claim.spec ??= {});
  const fallback = classes.find(({ metadata }) => metadata?.annotations?.[DEFAULT_CLASS] === 'true')?.metadata?.name;
  if (spec.storageClassName === undefined && fallback !== undefined) spec.storageClassName = fallback;
  claim.metadata = { ...claim.metadata, finalizers: [...new Set([...(claim.metadata?.finalizers ?? []), 'kubernetes.io/pvc-protection'])] };
  claim.status = { phase: 'Pending' };
}

function defaultQuota(quota: V1ResourceQuota): void {
  canonical(quota.spec?.hard);
}

function setEmptyStatus(quota: V1ResourceQuota): void {
  quota.status = {};
}

/** A missing default is the maximum, a missing request the limit, else the minimum. */
function defaultLimitRange(range: LimitRange): void {
  for (const item of range.spec?.limits ?? []) {
    for (const part of [item.default, item.defaultRequest, item.max, item.min]) canonical(part);
    if (item.type !== 'Container') continue;
    item.default = { ...item.max, ...item.default };
    item.defaultRequest = { ...item.min, ...item.default, ...item.defaultRequest };
  }
}

function defaultNetworkPolicy(policy: V1NetworkPolicy): void {
  const spec = (policy.spec ??= {});
  spec.policyTypes ??= spec.egress === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) rule.ports?.forEach((port) => (port.protocol ??= 'TCP'));
}

/** These members are always there, null where nothing is known. */
function defaultEvent(event: KubernetesObject): void {
  const blank = { source: {}, firstTimestamp: null, lastTimestamp: null, eventTime: null, reportingComponent: '', reportingInstance: '' };
  Object.assign(event, { ...blank, ...event });
}
