/**
 * Deletion: preconditions, grace periods of pods, finalizers, what happens to dependents.
 *
 * @module
 */
import type { KubernetesObject, V1Namespace, V1Pod } from '@kubernetes/client-node';
import { copyOf, makeEntry } from './entry.ts';
import type { Entry } from './entry.ts';
import type { ObjectStore } from './object-store.ts';
import { kinds, namespaces, pods } from './resources.ts';
import type { Kind } from './resources.ts';
import { notFound, preconditionFailed } from './status.ts';

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly dryRun?: boolean | undefined;
}

export interface Deleted {
  readonly entry: Entry;
  /** The object is still there: something holds it. */
  readonly pending: boolean;
}

/**
 * Deletes or begins to delete. Throws 404, or 409 where a precondition fails. Repeating it is harmless; a shorter grace period than
 * before counts.
 */
export function deleteObject(
  objects: ObjectStore,
  kind: Kind,
  namespace: string | undefined,
  name: string,
  options: DeleteOptions,
  now: Date,
): Deleted {
  const current = objects.entry(kind, namespace, name);
  if (current === undefined) throw notFound(kind, name);
  checkPreconditions(kind, name, current, options);
  const next = marked(kind, current.object, options, now);
  if (options.dryRun === true) return { entry: makeEntry(kind, next, current.revision), pending: false };
  if (options.propagationPolicy === 'Orphan') orphanDependents(objects, current.object);
  const entry = objects.replace(kind, current, next);
  return { entry, pending: objects.entry(kind, namespace, name) !== undefined };
}

function checkPreconditions(kind: Kind, name: string, { object }: Entry, { preconditions }: DeleteOptions): void {
  const { uid = '', resourceVersion = '' } = object.metadata;
  if (preconditions?.uid !== undefined && preconditions.uid !== uid) throw preconditionFailed(kind, name, 'UID', preconditions.uid, uid);
  if (preconditions?.resourceVersion !== undefined && preconditions.resourceVersion !== resourceVersion) {
    throw preconditionFailed(kind, name, 'ResourceVersion', preconditions.resourceVersion, resourceVersion);
  }
}

/** The object with its end written into it; one without finalizers and grace is gone when that is stored. */
function marked(kind: Kind, object: KubernetesObject, options: DeleteOptions, now: Date): KubernetesObject {
  const copy = copyOf(object);
  const metadata = (copy.metadata ??= {});
  const before = metadata.deletionTimestamp === undefined ? undefined : (metadata.deletionGracePeriodSeconds ?? 0);
  if (options.propagationPolicy === 'Foreground' && before === undefined)
    metadata.finalizers = [...(metadata.finalizers ?? []), 'foregroundDeletion'];
  if (kind === namespaces) {
    metadata.deletionTimestamp ??= now;
    const namespace: V1Namespace = copy;
    namespace.status = { ...namespace.status, phase: 'Terminating' };
    return copy;
  }
  const grace = kind === pods ? podGrace(copy, options.gracePeriodSeconds) : 0;
  if (before !== undefined && before <= grace) return copy;
  metadata.deletionTimestamp = new Date(now.getTime() + grace * 1000);
  metadata.deletionGracePeriodSeconds = grace;
  return copy;
}

/** A pod that no kubelet has, or whose containers have ended, needs no grace. */
function podGrace(pod: V1Pod, asked: number | undefined): number {
  const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
  if (pod.spec?.nodeName === undefined || ended) return 0;
  return Math.max(0, asked ?? pod.spec.terminationGracePeriodSeconds ?? 30);
}

/** Takes the owner off its dependents, so that garbage collection leaves them alone. */
function orphanDependents(objects: ObjectStore, owner: KubernetesObject): void {
  const uid = owner.metadata?.uid;
  for (const kind of kinds) {
    for (const dependent of objects.list(kind)) {
      const { ownerReferences, namespace, name = '' } = dependent.metadata ?? {};
      if (ownerReferences?.some((reference) => reference.uid === uid) !== true) continue;
      objects.update(kind, namespace, name, ({ metadata }) => {
        if (metadata !== undefined)
          metadata.ownerReferences = (metadata.ownerReferences ?? []).filter((reference) => reference.uid !== uid);
      });
    }
  }
}
