/**
 * The object store in memory, as small as the port allows: times become strings, listeners hear of changes in order, nothing is validated.
 */
import { randomUUID } from 'node:crypto';
import type { KubernetesObject } from '@kubernetes/client-node';
import type { ObjectEvent, Objects, Resource } from '../../dev/cluster/port.ts';

export interface RecordedEvent {
  readonly name: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

export interface FakeObjects extends Objects {
  readonly events: RecordedEvent[];
  /** What the API server does with a delete: the kubelet is told by `deletionTimestamp`. */
  markDeleted(resource: Resource, namespace: string, name: string, graceSeconds: number): void;
  /** Resolves to the object as soon as it satisfies the condition, which also sees its absence. Rejects after 15 s, and says what it was. */
  until<T extends KubernetesObject>(
    resource: Resource,
    namespace: string,
    name: string,
    condition: (object: T | undefined) => boolean,
  ): Promise<T | undefined>;
}

const LIMIT_MS = 15_000;

export function createFakeObjects(): FakeObjects {
  const collections = new Map<string, Map<string, KubernetesObject>>();
  const listeners = new Map<string, Set<(event: ObjectEvent<KubernetesObject>) => void>>();
  const events: RecordedEvent[] = [];
  const queue: (() => void)[] = [];
  let delivering = false;
  let version = 0;

  const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
  const collection = ({ group, plural }: Resource): Map<string, KubernetesObject> => {
    const name = `${group}/${plural}`;
    const found = collections.get(name) ?? new Map<string, KubernetesObject>();
    collections.set(name, found);
    return found;
  };
  const listenersOf = ({ group, plural }: Resource): Set<(event: ObjectEvent<KubernetesObject>) => void> => {
    const name = `${group}/${plural}`;
    const found = listeners.get(name) ?? new Set();
    listeners.set(name, found);
    return found;
  };
  const key = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;
  // A change made by a listener is told after the one that it was told of.
  const deliver = (): void => {
    if (delivering) return;
    delivering = true;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) next();
    delivering = false;
  };
  const emit = (resource: Resource, type: 'ADDED' | 'MODIFIED' | 'DELETED', object: KubernetesObject): void => {
    for (const listener of [...listenersOf(resource)]) queue.push(() => listener({ type, object: plain(object) }));
    deliver();
  };
  const put = (resource: Resource, object: KubernetesObject, type: 'ADDED' | 'MODIFIED'): KubernetesObject => {
    version += 1;
    const stored = plain({ ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
    collection(resource).set(key(stored.metadata?.namespace, stored.metadata?.name ?? ''), stored);
    emit(resource, type, stored);
    return plain(stored);
  };

  const objects: FakeObjects = {
    events,
    get: <T extends KubernetesObject>(resource: Resource, namespace: string | undefined, name: string) =>
      plainOrAbsent(collection(resource).get(key(namespace, name))) as T | undefined,
    list: <T extends KubernetesObject>(resource: Resource, namespace?: string) =>
      [...collection(resource).values()]
        .filter(({ metadata }) => namespace === undefined || metadata?.namespace === namespace)
        .map((object) => plain(object) as T),
    create: <T extends KubernetesObject>(resource: Resource, object: T) =>
      put(resource, { ...object, metadata: { uid: randomUUID(), creationTimestamp: new Date(), ...object.metadata } }, 'ADDED') as T,
    update<T extends KubernetesObject>(resource: Resource, namespace: string | undefined, name: string, change: (object: T) => void) {
      const before = collection(resource).get(key(namespace, name));
      if (before === undefined) return undefined;
      const copy = plain(before);
      change(copy as T);
      return JSON.stringify(copy) === JSON.stringify(before) ? (copy as T) : (put(resource, copy, 'MODIFIED') as T);
    },
    remove(resource, namespace, name) {
      const before = collection(resource).get(key(namespace, name));
      if (before === undefined) return;
      collection(resource).delete(key(namespace, name));
      emit(resource, 'DELETED', before);
    },
    subscribe<T extends KubernetesObject>(resource: Resource, listener: (event: ObjectEvent<T>) => void) {
      const own = (event: ObjectEvent<KubernetesObject>): void => listener(event as ObjectEvent<T>);
      for (const object of objects.list<T>(resource)) listener({ type: 'ADDED', object });
      listenersOf(resource).add(own);
      return () => void listenersOf(resource).delete(own);
    },
    recordEvent: (about, type, reason, message) => void events.push({ name: about.metadata?.name ?? '', type, reason, message }),
    markDeleted: (resource, namespace, name, graceSeconds) =>
      void objects.update(resource, namespace, name, (object) => {
        object.metadata = { ...object.metadata, deletionTimestamp: new Date(), deletionGracePeriodSeconds: graceSeconds };
      }),
    until: (resource, namespace, name, condition) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          const object = objects.get<NonNullable<Parameters<typeof condition>[0]>>(resource, namespace, name);
          if (!condition(object)) return;
          end();
          resolve(object);
        };
        const end = (): void => {
          clearTimeout(timer);
          unsubscribe();
        };
        const timer = setTimeout(() => {
          end();
          reject(
            new Error(
              `${name} did not get there: ${JSON.stringify(objects.get(resource, namespace, name))} ${JSON.stringify(events.filter((event) => event.name === name))}`,
            ),
          );
        }, LIMIT_MS);
        const unsubscribe = objects.subscribe(resource, () => queue.push(check));
        queueMicrotask(check);
      }),
  };
  return objects;

  function plainOrAbsent(object: KubernetesObject | undefined): KubernetesObject | undefined {
    return object === undefined ? undefined : plain(object);
  }
}
