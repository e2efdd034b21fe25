/**
 * All objects of the embedded cluster: in memory for reads, in SQLite for the next start. Every change gets the next number of one
 * counter (`resourceVersion`); listeners hear of it in order, right after the call that made it has returned.
 *
 * @module
 */
import { randomInt, randomUUID } from 'node:crypto';
import type { CoreV1Event, KubernetesObject } from '@kubernetes/client-node';
import type { ObjectEvent, Objects, Resource } from '../port.ts';
import { describeEvent, repeatEvent } from './event-record.ts';
import { copyOf, entryKey, makeEntry } from './entry.ts';
import type { Entry } from './entry.ts';
import { History } from './history.ts';
import type { Change } from './history.ts';
import { deepEqual, isTree, valueAt } from './json.ts';
import { openPersistence } from './persistence.ts';
import type { Persistence } from './persistence.ts';
import { events, findKind, kinds, namespaces } from './resources.ts';
import type { Kind } from './resources.ts';
import { alreadyExists } from './status.ts';

export interface StoreOptions {
  readonly now?: () => Date;
  /** Changes that a watch can go back; twice as many are held at most. */
  readonly history?: number;
  /** Hears of a listener that threw; the others are called all the same. */
  readonly onListenerError?: (error: unknown) => void;
}

type Listener = (change: Change) => void;

interface Subscription {
  readonly kind: Kind;
  /** Changes up to here were part of what the listener was given at the start. */
  readonly after: number;
  readonly listener: Listener;
}

const SUFFIX = 'bcdfghjklmnpqrstvwxz2456789';

export class ObjectStore implements Objects {
  readonly #persistence: Persistence;
  /** By kind, namespace (`''` for those without), name. */
  readonly #collections = new Map<Kind, Map<string, Map<string, Entry>>>(kinds.map((kind) => [kind, new Map()]));
  readonly #history: History;
  readonly #subscriptions = new Set<Subscription>();
  readonly #now: () => Date;
  readonly #onListenerError: (error: unknown) => void;
  #undelivered: Change[] = [];
  #revision: number;

  constructor(persistence: Persistence, options: StoreOptions = {}) {
    this.#persistence = persistence;
    this.#now = options.now ?? (() => new Date());
    this.#onListenerError = options.onListenerError ?? ((error) => process.emitWarning(error instanceof Error ? error : String(error)));
    const { revision, rows } = persistence.load();
    this.#revision = revision;
    this.#history = new History(revision, options.history ?? 2048);
    for (const { resource, namespace, name, body } of rows) {
      const kind = kinds.find((item) => `${item.group}/${item.plural}` === resource);
      const object = JSON.parse(body) as KubernetesObject;
      if (kind !== undefined) this.#file(kind, namespace, name, makeEntry(kind, object, Number(object.metadata?.resourceVersion)));
    }
  }

  /** The number of the last change. */
  get revision(): number {
    return this.#revision;
  }

  /** Watches and paged lists cannot go back behind this revision. */
  get oldestRevision(): number {
    return this.#history.floor;
  }

  get<T extends KubernetesObject>(resource: Resource, namespace: string | undefined, name: string): T | undefined {
    return this.entry(kindOf(resource), namespace, name)?.object as T | undefined;
  }

  list<T extends KubernetesObject>(resource: Resource, namespace?: string): readonly T[] {
    return this.entries(kindOf(resource), namespace).map(({ object }) => object as T);
  }

  entry(kind: Kind, namespace: string | undefined, name: string): Entry | undefined {
    return this.#collection(kind)
      .get(kind.namespaced ? (namespace ?? '') : '')
      ?.get(name);
  }

  /** The versions of a kind in the order of a list: by namespace, then name. */
  entries(kind: Kind, namespace?: string): readonly Entry[] {
    const collection = this.#collection(kind);
    const chosen = namespace === undefined ? [...collection.keys()].toSorted() : [namespace];
    return chosen.flatMap((name) =>
      [...(collection.get(name) ?? [])].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, entry]) => entry),
    );
  }

  /** The same as it was at a revision, which is not below `oldestRevision`: later pages of a list show what the first one did. */
  entriesAt(kind: Kind, revision: number, namespace?: string): readonly Entry[] {
    const entries = new Map(this.entries(kind, namespace).map((entry) => [entryKey(entry), entry]));
    for (const change of this.#history.since(revision).toReversed()) {
      if (change.kind !== kind || (namespace !== undefined && change.entry.object.metadata.namespace !== namespace)) continue;
      if (change.previous === undefined) entries.delete(change.key);
      else entries.set(change.key, change.previous);
    }
    return [...entries].toSorted(([left], [right]) => (left < right ? -1 : 1)).map(([, entry]) => entry);
  }

  create<T extends KubernetesObject>(resource: Resource, object: T): T {
    return this.insert(kindOf(resource), object).object as T;
  }

  /** Gives name, uid, time and revision, and stores. Throws 409 `AlreadyExists`. */
  insert(kind: Kind, object: KubernetesObject): Entry {
    return this.#put(kind, this.prepare(kind, object), undefined);
  }

  /** What `insert` would store, without storing it (`dryRun`). Throws 409 `AlreadyExists`, too. */
  prepare(kind: Kind, object: KubernetesObject): Entry {
    const copy = copyOf(object);
    const { resourceVersion: _stale, deletionTimestamp: _end, deletionGracePeriodSeconds: _grace, ...given } = copy.metadata ?? {};
    const name = given.name === undefined || given.name === '' ? `${(given.generateName ?? '').slice(0, 58)}${randomSuffix()}` : given.name;
    if (this.entry(kind, given.namespace, name) !== undefined) throw alreadyExists(kind, name);
    copy.metadata = { ...given, name, uid: randomUUID(), creationTimestamp: this.#now(), ...(kind.generation && { generation: 1 }) };
    return makeEntry(kind, copy, this.#revision + 1);
  }

  update<T extends KubernetesObject>(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    change: (object: T) => void,
  ): T | undefined {
    const kind = kindOf(resource);
    const current = this.entry(kind, namespace, name);
    if (current === undefined) return undefined;
    const copy = copyOf(current.object as T);
    change(copy);
    return this.replace(kind, current, copy).object as T;
  }

  /** Stores a new version of what `current` is, if it differs; removes it where nothing holds a deleted object any more. */
  replace(kind: Kind, current: Entry, object: KubernetesObject): Entry {
    const entry = this.prepareReplacement(kind, current, object);
    if (isReleased(kind, entry.object)) {
      this.#drop(kind, current, entry.object);
      return entry;
    }
    return entry === current ? current : this.#put(kind, entry, current);
  }

  /** What `replace` would store: `current` itself where nothing differs. Identity and times of the object cannot be changed. */
  prepareReplacement(kind: Kind, current: Entry, object: KubernetesObject): Entry {
    const { namespace, name, uid, creationTimestamp, generation, resourceVersion } = current.object.metadata;
    const kept = Object.fromEntries(
      Object.entries({ namespace, name, uid, creationTimestamp, resourceVersion }).filter(([, value]) => value !== undefined),
    );
    const next = makeEntry(
      kind,
      { ...object, metadata: { ...object.metadata, ...kept, ...(generation !== undefined && { generation }) } },
      this.#revision + 1,
    );
    if (deepEqual({ ...next.object, metadata: { ...next.object.metadata, resourceVersion } }, current.object)) return current;
    const ended = next.object.metadata.deletionTimestamp !== current.object.metadata.deletionTimestamp;
    if (generation === undefined || (!ended && deepEqual(desired(next.object), desired(current.object)))) return next;
    return makeEntry(kind, { ...next.object, metadata: { ...next.object.metadata, generation: generation + 1 } }, this.#revision + 1);
  }

  remove(resource: Resource, namespace: string | undefined, name: string): void {
    const kind = kindOf(resource);
    const current = this.entry(kind, namespace, name);
    if (current !== undefined) this.#drop(kind, current, current.object);
  }

  subscribe<T extends KubernetesObject>(resource: Resource, listener: (event: ObjectEvent<T>) => void): () => void {
    const kind = kindOf(resource);
    for (const entry of this.entries(kind)) listener({ type: 'ADDED', object: entry.object as T });
    return this.follow(kind, this.#revision, (change) => listener({ type: change.type, object: change.entry.object as T }));
  }

  /** Calls the listener with every change of a kind after a revision: first those it missed, at once, then each new one. */
  follow(kind: Kind, after: number, listener: Listener): () => void {
    for (const change of this.#history.since(after)) if (change.kind === kind) listener(change);
    const subscription = { kind, after: this.#revision, listener };
    this.#subscriptions.add(subscription);
    return () => void this.#subscriptions.delete(subscription);
  }

  recordEvent(about: KubernetesObject, type: 'Normal' | 'Warning', reason: string, message: string, component: string): void {
    const home = this.get(namespaces, undefined, about.metadata?.namespace ?? 'default');
    // As in the real cluster, nothing new appears in a namespace that is missing or going away.
    if (home === undefined || home.metadata?.deletionTimestamp !== undefined) return;
    const event = describeEvent({ about, type, reason, message, component, now: this.#now() });
    const { namespace, name = '' } = event.metadata ?? {};
    const repeated = this.update<CoreV1Event>(events, namespace, name, (present) => repeatEvent(present, this.#now()));
    if (repeated === undefined) this.create(events, event);
  }

  close(): void {
    this.#subscriptions.clear();
    this.#persistence.close();
  }

  #collection(kind: Kind): Map<string, Map<string, Entry>> {
    const collection = this.#collections.get(kind);
    if (collection === undefined) throw new Error(`no collection of ${kind.plural}`);
    return collection;
  }

  #file(kind: Kind, namespace: string, name: string, entry: Entry | undefined): void {
    const collection = this.#collection(kind);
    const present = collection.get(namespace) ?? new Map<string, Entry>();
    if (entry === undefined) present.delete(name);
    else present.set(name, entry);
    if (present.size === 0) collection.delete(namespace);
    else collection.set(namespace, present);
  }

  #put(kind: Kind, entry: Entry, previous: Entry | undefined): Entry {
    const { namespace = '', name = '' } = entry.object.metadata;
    this.#persistence.put({ resource: `${kind.group}/${kind.plural}`, namespace, name, body: entry.body }, entry.revision);
    this.#file(kind, namespace, name, entry);
    this.#announce({
      type: previous === undefined ? 'ADDED' : 'MODIFIED',
      kind,
      key: entryKey(entry),
      revision: entry.revision,
      entry,
      previous,
    });
    return entry;
  }

  #drop(kind: Kind, current: Entry, last: KubernetesObject): void {
    const { namespace = '', name = '' } = current.object.metadata;
    const entry = makeEntry(kind, last, this.#revision + 1);
    this.#persistence.drop({ resource: `${kind.group}/${kind.plural}`, namespace, name }, entry.revision);
    this.#file(kind, namespace, name, undefined);
    this.#announce({ type: 'DELETED', kind, key: entryKey(entry), revision: entry.revision, entry, previous: current });
  }

  #announce(change: Change): void {
    this.#revision = change.revision;
    this.#history.push(change);
    this.#undelivered.push(change);
    // Not within the call: a listener that writes would otherwise be overtaken by its own change.
    if (this.#undelivered.length === 1) queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    for (let change = this.#undelivered[0]; change !== undefined; change = this.#undelivered[0]) {
      for (const { kind, after, listener } of [...this.#subscriptions]) {
        if (kind !== change.kind || change.revision <= after) continue;
        try {
          listener(change);
        } catch (error) {
          this.#onListenerError(error);
        }
      }
      this.#undelivered.shift();
    }
  }
}

/**
 * Opens (or makes) the cluster's objects in a SQLite file. Throws where another process has the file open.
 */
export function openObjects(file: string, options: StoreOptions = {}): ObjectStore {
  return new ObjectStore(openPersistence(file), options);
}

/** A deleted object that neither a finalizer nor a grace period holds. A namespace has finalizers in its spec, too. */
function isReleased(kind: Kind, object: KubernetesObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata ?? {};
  const held = kind.plural === 'namespaces' ? valueAt(object, 'spec.finalizers') : [];
  return (
    deletionTimestamp !== undefined &&
    deletionGracePeriodSeconds === 0 &&
    finalizers.length === 0 &&
    !(Array.isArray(held) && held.length > 0)
  );
}

/** What `generation` counts the changes of: the spec, without the node that a scheduler binds a pod to. */
function desired(object: KubernetesObject): unknown {
  const spec = valueAt(object, 'spec');
  return isTree(spec) ? { ...spec, nodeName: null } : spec;
}

function kindOf(resource: Resource): Kind {
  const kind = findKind(resource);
  if (kind === undefined) throw new Error(`the embedded cluster has no ${resource.plural} of ${resource.group}/${resource.version}`);
  return kind;
}

/** Five characters, without vowels, so that no words appear. */
function randomSuffix(): string {
  return Array.from({ length: 5 }, () => SUFFIX.charAt(randomInt(SUFFIX.length))).join('');
}
