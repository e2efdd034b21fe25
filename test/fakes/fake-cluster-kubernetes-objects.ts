/**
 * The objects of a cluster in memory, with what Kubernetes guarantees about them: uids, versions, graceful deletion, namespaces that take
 * what is in them along, claims that stay while a pod uses them, and a log of changes for watches. Calls are synchronous; the network
 * around it (`fake-cluster-kubernetes.ts`) makes them take time and fail.
 */
import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import type { FakeClock } from './fake-clock.ts';

/** An object as the API server has it: times are strings. */
export interface ClusterObject extends KubernetesObject {
  readonly metadata: NonNullable<KubernetesObject['metadata']> & { readonly name: string; readonly uid: string };
  readonly [field: string]: unknown;
}

export interface ObjectChange {
  readonly kind: string;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: ClusterObject;
}

export interface DeleteOptions {
  readonly uid?: string | undefined;
  readonly graceSeconds?: number | undefined;
}

/** How long the cluster takes for what it does by itself, in milliseconds. */
export interface ClusterPace {
  podGone(graceSeconds: number): number;
  namespaceGone(): number;
  claimGone(): number;
}

/** An answer of the API server that is none of 2xx, as the library throws it. */
export class ApiRefusal extends Error {
  readonly code: number;
  readonly body: object;
  readonly headers: Readonly<Record<string, string>> = {};

  constructor(code: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiException';
    this.code = code;
    this.body = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message };
  }
}

const CLUSTER_WIDE = new Set(['Namespace', 'Node', 'StorageClass', 'PersistentVolume']);

export class ClusterObjects {
  readonly #clock: FakeClock;
  readonly #pace: ClusterPace;
  readonly #kinds = new Map<string, Map<string, ClusterObject>>();
  readonly #listeners = new Set<(change: ObjectChange) => void>();
  /** Entry `n` has version `n + 1`. */
  readonly log: ObjectChange[] = [];

  constructor(clock: FakeClock, pace: ClusterPace) {
    this.#clock = clock;
    this.#pace = pace;
  }

  get version(): number {
    return this.log.length;
  }

  onChange(listener: (change: ObjectChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  list(kind: string, namespace?: string): readonly ClusterObject[] {
    const all = [...this.#of(kind).values()];
    return namespace === undefined ? all : all.filter((object) => object.metadata.namespace === namespace);
  }

  find(kind: string, namespace: string | undefined, name: string): ClusterObject | undefined {
    return this.#of(kind).get(keyOf(kind, namespace, name));
  }

  read(kind: string, namespace: string | undefined, name: string): ClusterObject {
    const found = this.find(kind, namespace, name);
    if (found === undefined) throw notFound(kind, name);
    return found;
  }

  create(kind: string, namespace: string | undefined, body: KubernetesObject, dryRun = false): ClusterObject {
    const name = body.metadata?.name ?? '';
    if (!CLUSTER_WIDE.has(kind)) {
      const home = this.find('Namespace', undefined, namespace ?? '');
      if (home === undefined) throw notFound('Namespace', namespace ?? '');
      if (home.metadata.deletionTimestamp !== undefined) {
        const words = `${kind} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`;
        throw new ApiRefusal(403, 'Forbidden', words);
      }
    }
    if (this.find(kind, namespace, name) !== undefined) throw new ApiRefusal(409, 'AlreadyExists', `${kind} "${name}" already exists`);
    const object: ClusterObject = {
      ...body,
      metadata: {
        ...body.metadata,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        uid: `uid-${kind.toLowerCase()}-${this.version + 1}`,
        creationTimestamp: this.#time(),
      },
    };
    return dryRun ? object : this.#put(kind, object, 'ADDED');
  }

  /** Writes what the change makes of the object, if it is there and still that very one. */
  update(kind: string, before: ClusterObject, change: (object: ClusterObject) => object): ClusterObject | undefined {
    const present = this.find(kind, before.metadata.namespace, before.metadata.name);
    if (present === undefined || present.metadata.uid !== before.metadata.uid) return undefined;
    const changed = change(present);
    return this.#put(kind, { ...present, ...changed, metadata: { ...present.metadata, ...metadataOf(changed) } }, 'MODIFIED');
  }

  /** As `DELETE` does it: at once, or by marking what somebody has to let go of first. */
  delete(kind: string, namespace: string | undefined, name: string, { uid, graceSeconds }: DeleteOptions = {}): ClusterObject {
    const object = this.read(kind, namespace, name);
    if (uid !== undefined && uid !== object.metadata.uid) {
      throw new ApiRefusal(409, 'Conflict', `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${object.metadata.uid}`);
    }
    if (kind === 'Namespace') return this.#deleteNamespace(object);
    if (kind === 'PersistentVolumeClaim') return this.#deleteClaim(object);
    if (kind !== 'Pod') {
      this.remove(kind, object);
      return object;
    }
    const grace = graceSeconds ?? (object as V1Pod).spec?.terminationGracePeriodSeconds ?? 30;
    if (object.metadata.deletionTimestamp !== undefined && grace > 0) return object;
    return this.#deletePod(object, (object as V1Pod).spec?.nodeName === undefined ? 0 : grace);
  }

  /** It is gone. */
  remove(kind: string, object: ClusterObject): void {
    const key = keyOf(kind, object.metadata.namespace, object.metadata.name);
    const present = this.#of(kind).get(key);
    if (present?.metadata.uid !== object.metadata.uid) return;
    this.#of(kind).delete(key);
    this.#tell({ kind, type: 'DELETED', object: versioned(present, this.version + 1) });
    if (kind === 'Pod') this.#letGoOfClaims(object.metadata.namespace);
  }

  #deletePod(pod: ClusterObject, grace: number): ClusterObject {
    if (grace === 0) {
      this.remove('Pod', pod);
      return pod;
    }
    const marked = this.#mark('Pod', pod, grace);
    this.#clock.after(this.#pace.podGone(grace), () => this.remove('Pod', marked));
    return marked;
  }

  #deleteNamespace(namespace: ClusterObject): ClusterObject {
    if (namespace.metadata.deletionTimestamp !== undefined) return namespace;
    const marked = this.#mark('Namespace', namespace);
    const { name } = marked.metadata;
    const empty = (): void => {
      for (const kind of this.#kinds.keys()) {
        if (CLUSTER_WIDE.has(kind)) continue;
        for (const object of this.list(kind, name)) this.delete(kind, name, object.metadata.name);
      }
      const isEmpty = [...this.#kinds.keys()].every((kind) => CLUSTER_WIDE.has(kind) || this.list(kind, name).length === 0);
      if (isEmpty) this.remove('Namespace', marked);
      else this.#clock.after(1000, empty);
    };
    this.#clock.after(this.#pace.namespaceGone(), empty);
    return marked;
  }

  /** https://kubernetes.io/docs/concepts/storage/persistent-volumes/#storage-object-in-use-protection */
  #deleteClaim(claim: ClusterObject): ClusterObject {
    const marked = claim.metadata.deletionTimestamp === undefined ? this.#mark('PersistentVolumeClaim', claim) : claim;
    this.#clock.after(this.#pace.claimGone(), () => this.#letGoOfClaims(marked.metadata.namespace));
    return marked;
  }

  #letGoOfClaims(namespace: string | undefined): void {
    const used = new Set(this.list('Pod', namespace).flatMap((pod) => claimsOf(pod as V1Pod)));
    for (const claim of this.list('PersistentVolumeClaim', namespace)) {
      if (claim.metadata.deletionTimestamp !== undefined && !used.has(claim.metadata.name)) this.remove('PersistentVolumeClaim', claim);
    }
  }

  /** `deletionTimestamp` is when it is to be gone. */
  #mark(kind: string, object: ClusterObject, afterSeconds = 0): ClusterObject {
    return this.#put(kind, { ...object, metadata: { ...object.metadata, deletionTimestamp: this.#time(afterSeconds) } }, 'MODIFIED');
  }

  #put(kind: string, object: ClusterObject, type: 'ADDED' | 'MODIFIED'): ClusterObject {
    const stored = versioned(object, this.version + 1);
    this.#of(kind).set(keyOf(kind, stored.metadata.namespace, stored.metadata.name), stored);
    this.#tell({ kind, type, object: stored });
    return stored;
  }

  #tell(change: ObjectChange): void {
    this.log.push(change);
    for (const listener of [...this.#listeners]) listener(change);
  }

  #of(kind: string): Map<string, ClusterObject> {
    const found = this.#kinds.get(kind) ?? new Map<string, ClusterObject>();
    this.#kinds.set(kind, found);
    return found;
  }

  /** Whole seconds, as Kubernetes has them. The library's types say `Date`, and its calls make one of it. */
  #time(afterSeconds = 0): Date {
    return `${new Date(this.#clock.ms + afterSeconds * 1000).toISOString().slice(0, 19)}Z` as string & Date;
  }
}

function keyOf(kind: string, namespace: string | undefined, name: string): string {
  return CLUSTER_WIDE.has(kind) ? name : `${namespace ?? ''}/${name}`;
}

function versioned(object: ClusterObject, version: number): ClusterObject {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

function metadataOf(object: object): object {
  return 'metadata' in object && typeof object.metadata === 'object' && object.metadata !== null ? object.metadata : {};
}

function notFound(kind: string, name: string): ApiRefusal {
  return new ApiRefusal(404, 'NotFound', `${kind} "${name}" not found`);
}

/** Names of the claims that a pod mounts. */
export function claimsOf(pod: V1Pod): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap(({ persistentVolumeClaim: claim }) => (claim === undefined ? [] : [claim.claimName]));
}
