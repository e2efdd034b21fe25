/**
 * ResourceQuotas: what an object counts for, and whether a namespace has room for it.
 *
 * @module
 */
import type { KubernetesObject, V1PersistentVolumeClaim, V1Pod, V1ResourceQuota } from '@kubernetes/client-node';
import { add, formatQuantity, parseQuantity, quantityOf, ZERO } from '../quantity.ts';
import type { Quantity } from '../quantity.ts';
import type { Kind } from '../resources.ts';
import { forbidden } from '../status.ts';

export type Usage = ReadonlyMap<string, Quantity>;

const ONE: Quantity = { nano: 1_000_000_000n, binary: false };

/** Kinds that a quota counts under their plain name, too (`secrets` beside `count/secrets`). */
const COUNTED = new Set(['pods', 'secrets', 'persistentvolumeclaims', 'resourcequotas']);

/** What one object uses up. A pod that has ended counts for nothing, one that is going away still counts. */
export function usageOf(kind: Kind, object: KubernetesObject): Usage {
  const usage = new Map<string, Quantity>([[`count/${kind.plural}${kind.group === '' ? '' : `.${kind.group}`}`, ONE]]);
  if (kind.plural === 'pods') return podUsage(object, usage);
  if (COUNTED.has(kind.plural)) usage.set(kind.plural, ONE);
  if (kind.plural === 'persistentvolumeclaims') addClaim(object, usage);
  return usage;
}

function podUsage(pod: V1Pod, usage: Map<string, Quantity>): Usage {
  // As the real evaluator: an ended pod's object is still an object.
  if (pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed') return usage;
  usage.set('pods', ONE);
  for (const part of ['requests', 'limits'] as const) {
    for (const [name, quantity] of podResources(pod, part)) {
      usage.set(`${part}.${name}`, quantity);
      if (part === 'requests') usage.set(name, quantity);
    }
  }
  return usage;
}

/** The sum over containers, or the largest init container where that is more. */
export function podResources(pod: V1Pod, part: 'requests' | 'limits'): Usage {
  const total = new Map<string, Quantity>();
  for (const { resources } of pod.spec?.containers ?? []) {
    for (const [name, value] of Object.entries(resources?.[part] ?? {})) total.set(name, add(total.get(name) ?? ZERO, quantityOf(value)));
  }
  for (const { resources } of pod.spec?.initContainers ?? []) {
    for (const [name, value] of Object.entries(resources?.[part] ?? {})) {
      if (quantityOf(value).nano > (total.get(name) ?? ZERO).nano) total.set(name, quantityOf(value));
    }
  }
  return total;
}

function addClaim(claim: V1PersistentVolumeClaim, usage: Map<string, Quantity>): void {
  const storage = parseQuantity(claim.spec?.resources?.requests?.['storage']) ?? ZERO;
  usage.set('requests.storage', storage);
  const storageClass = claim.spec?.storageClassName;
  if (storageClass === undefined || storageClass === '') return;
  usage.set(`${storageClass}.storageclass.storage.k8s.io/requests.storage`, storage);
  usage.set(`${storageClass}.storageclass.storage.k8s.io/persistentvolumeclaims`, ONE);
}

/** What a quota's names are at, summed over the objects of its namespace. */
export function sumUsage(names: readonly string[], usages: Iterable<Usage>): Usage {
  const sum = new Map<string, Quantity>(names.map((name) => [name, ZERO]));
  for (const usage of usages) {
    for (const name of names) {
      const more = usage.get(name);
      if (more !== undefined) sum.set(name, add(sum.get(name) ?? ZERO, more));
    }
  }
  return sum;
}

/**
 * Throws 403 where a pod does not say what a quota limits, or where the quota has no room for the object. `before` is what the object
 * itself counted for so far (an update).
 */
export function admitQuota(
  kind: Kind,
  object: KubernetesObject,
  quota: V1ResourceQuota,
  used: (names: readonly string[]) => Usage,
  before: Usage = new Map(),
): void {
  const hard = quota.spec?.hard ?? {};
  const quotaName = quota.metadata?.name ?? '';
  const name = object.metadata?.name ?? '';
  if (kind.plural === 'pods') requireDeclared(kind, object, quotaName, Object.keys(hard));
  const requested = [...usageOf(kind, object)]
    .map(([resource, quantity]) => [resource, { ...quantity, nano: quantity.nano - (before.get(resource)?.nano ?? 0n) }] as const)
    .filter(([resource, { nano }]) => resource in hard && nano > 0n)
    .toSorted(([left], [right]) => (left < right ? -1 : 1));
  if (requested.length === 0) return;
  const present = used(requested.map(([resource]) => resource));
  const over = requested.filter(([resource, { nano }]) => nano + (present.get(resource)?.nano ?? 0n) > quantityOf(hard[resource]).nano);
  if (over.length === 0) return;
  const list = (value: (resource: string, quantity: Quantity) => Quantity): string =>
    over.map(([resource, quantity]) => `${resource}=${formatQuantity(value(resource, quantity))}`).join(',');
  const texts = [
    `requested: ${list((_resource, quantity) => quantity)}`,
    `used: ${list((resource) => present.get(resource) ?? ZERO)}`,
    `limited: ${list((resource) => quantityOf(hard[resource]))}`,
  ];
  throw forbidden(kind, name, `exceeded quota: ${quotaName}, ${texts.join(', ')}`);
}

/** A quota on cpu or memory forces every container to declare it: `must specify limits.memory for: a,b; requests.cpu for: a`. */
function requireDeclared(kind: Kind, pod: V1Pod, quotaName: string, resources: readonly string[]): void {
  const faults = resources.toSorted().flatMap((resource) => {
    const [, part, name] = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(resource) ?? [];
    if (name === undefined) return [];
    const silent = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].filter(
      ({ resources: own }) => (part === 'limits' ? own?.limits : own?.requests)?.[name] === undefined,
    );
    return silent.length === 0 ? [] : [`${resource} for: ${silent.map((container) => container.name).join(',')}`];
  });
  if (faults.length > 0) throw forbidden(kind, pod.metadata?.name ?? '', `failed quota: ${quotaName}: must specify ${faults.join('; ')}`);
}
