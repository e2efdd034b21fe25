/**
 * Garbage collection: an object goes when all its owners are gone; a foreground deletion waits for its dependents; old events go.
 *
 * @module
 */
import type { CoreV1Event, KubernetesObject } from '@kubernetes/client-node';
import type { ObjectStore } from '../object-store.ts';
import { deleteObject } from '../remove.ts';
import { events, kinds } from '../resources.ts';
import type { Kind } from '../resources.ts';

interface Dependent {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string;
}

/** Events live an hour in a real cluster. Here also their number is bounded, so that memory is. */
const EVENT_LIFE_MS = 3_600_000;
const MOST_EVENTS = 1000;

export function startGarbageCollector(objects: ObjectStore, now: () => Date): () => void {
  const present = new Set<string>();
  const dependents = new Map<string, Map<string, Dependent>>();
  const collect = (dependent: Dependent): void => {
    const owners = objects.get<KubernetesObject>(dependent.kind, dependent.namespace, dependent.name)?.metadata?.ownerReferences ?? [];
    if (owners.length === 0 || owners.some(({ uid }) => present.has(uid))) return;
    deleteObject(objects, dependent.kind, dependent.namespace, dependent.name, { preconditions: { uid: dependent.uid } }, now());
  };
  const observe = (kind: Kind, type: string, object: KubernetesObject): void => {
    const { uid = '', namespace, name = '', ownerReferences = [], deletionTimestamp, finalizers = [] } = object.metadata ?? {};
    const dependent = { kind, namespace, name, uid };
    for (const owner of ownerReferences) {
      const siblings = dependents.get(owner.uid) ?? new Map<string, Dependent>();
      if (type === 'DELETED') siblings.delete(uid);
      else siblings.set(uid, dependent);
      if (siblings.size > 0) dependents.set(owner.uid, siblings);
      else dependents.delete(owner.uid);
      if (type === 'DELETED') finishForeground(objects, owner.uid, dependents);
    }
    if (type === 'DELETED') {
      present.delete(uid);
      for (const item of dependents.get(uid)?.values() ?? []) collect(item);
      return;
    }
    present.add(uid);
    if (deletionTimestamp !== undefined && finalizers.includes('foregroundDeletion')) {
      for (const item of dependents.get(uid)?.values() ?? [])
        deleteObject(objects, item.kind, item.namespace, item.name, { preconditions: { uid: item.uid } }, now());
      finishForeground(objects, uid, dependents);
    }
  };
  const unsubscribe = kinds.map((kind) => objects.subscribe<KubernetesObject>(kind, ({ type, object }) => observe(kind, type, object)));
  // Owners may be listed after their dependents, so orphans of an earlier run are looked for once all are known.
  for (const item of [...dependents.values()].flatMap((siblings) => [...siblings.values()])) {
    if (objects.entry(item.kind, item.namespace, item.name) !== undefined) collect(item);
  }
  unsubscribe.push(startEventExpiry(objects, now));
  return () => unsubscribe.forEach((stop) => stop());
}

function finishForeground(objects: ObjectStore, owner: string, dependents: ReadonlyMap<string, unknown>): void {
  if (dependents.has(owner)) return;
  for (const kind of kinds) {
    const object = objects
      .list(kind)
      .find(({ metadata }) => metadata?.uid === owner && metadata.finalizers?.includes('foregroundDeletion'));
    if (object === undefined) continue;
    objects.update(kind, object.metadata?.namespace, object.metadata?.name ?? '', ({ metadata }) => {
      if (metadata !== undefined)
        metadata.finalizers = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== 'foregroundDeletion');
    });
  }
}

function startEventExpiry(objects: ObjectStore, now: () => Date): () => void {
  const queue = new Map<string, { readonly namespace: string | undefined; readonly name: string; readonly until: number }>();
  return objects.subscribe<CoreV1Event>(events, ({ type, object }) => {
    const { uid = '', namespace, name = '' } = object.metadata ?? {};
    queue.delete(uid);
    if (type === 'DELETED') return;
    queue.set(uid, { namespace, name, until: now().getTime() + EVENT_LIFE_MS });
    for (const [key, item] of queue) {
      if (queue.size <= MOST_EVENTS && item.until > now().getTime()) break;
      queue.delete(key);
      objects.remove(events, item.namespace, item.name);
    }
  });
}
