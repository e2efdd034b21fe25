/**
 * Gives each namespace its `default` ServiceAccount, and empties and ends namespaces that are being deleted.
 *
 * @module
 */
import type { KubernetesObject, V1Namespace, V1NamespaceCondition } from '@kubernetes/client-node';
import type { ObjectStore } from '../object-store.ts';
import { deleteObject } from '../remove.ts';
import { kinds, namespaces, serviceAccounts } from '../resources.ts';

/** The real account appears some milliseconds after its namespace, which callers have to live with; so it does here. */
const ACCOUNT_DELAY_MS = 10;

export function startNamespaceController(objects: ObjectStore, now: () => Date): () => void {
  const timers = new Set<NodeJS.Timeout>();
  const later = (action: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      action();
    }, ACCOUNT_DELAY_MS);
    timers.add(timer);
  };
  const ensureAccount = (namespace: string): void => {
    const present = objects.get<V1Namespace>(namespaces, undefined, namespace);
    if (present === undefined || present.metadata?.deletionTimestamp !== undefined) return;
    if (objects.get(serviceAccounts, namespace, 'default') === undefined)
      objects.create(serviceAccounts, { metadata: { name: 'default', namespace } });
  };
  const unsubscribe = [
    objects.subscribe<V1Namespace>(namespaces, ({ type, object }) => {
      const name = object.metadata?.name ?? '';
      if (type === 'ADDED' && objects.get(serviceAccounts, name, 'default') === undefined) later(() => ensureAccount(name));
      if (type !== 'DELETED' && object.metadata?.deletionTimestamp !== undefined) empty(objects, name, now());
    }),
    ...kinds
      .filter(({ namespaced }) => namespaced)
      .map((kind) =>
        objects.subscribe<KubernetesObject>(kind, ({ type, object }) => {
          const namespace = object.metadata?.namespace ?? '';
          if (type !== 'DELETED') return;
          if (isTerminating(objects, namespace)) empty(objects, namespace, now());
          else if (kind === serviceAccounts && object.metadata?.name === 'default') later(() => ensureAccount(namespace));
        }),
      ),
  ];
  return () => {
    for (const stop of unsubscribe) stop();
    for (const timer of timers) clearTimeout(timer);
  };
}

function isTerminating(objects: ObjectStore, name: string): boolean {
  return objects.get<V1Namespace>(namespaces, undefined, name)?.metadata?.deletionTimestamp !== undefined;
}

/** Deletes what is left in a namespace; with nothing left, takes off the finalizer that holds the namespace itself. */
function empty(objects: ObjectStore, name: string, now: Date): void {
  if (!isTerminating(objects, name)) return;
  const remaining: string[] = [];
  for (const kind of kinds.filter(({ namespaced }) => namespaced)) {
    for (const { metadata } of objects.list(kind, name)) {
      // Each is asked once; asking again would only repeat it for what has finalizers.
      const asked = metadata?.deletionTimestamp !== undefined;
      if (asked || deleteObject(objects, kind, name, metadata?.name ?? '', {}, now).pending)
        remaining.push(`${kind.plural} has ${metadata?.name}`);
    }
  }
  objects.update<V1Namespace>(namespaces, undefined, name, (namespace) => {
    if (remaining.length === 0) namespace.spec = { finalizers: [] };
    namespace.status = { ...namespace.status, phase: 'Terminating', conditions: [contentCondition(namespace, remaining, now)] };
  });
}

function contentCondition(namespace: V1Namespace, remaining: readonly string[], now: Date): V1NamespaceCondition {
  const left = remaining.length > 0;
  const status = left ? 'True' : 'False';
  const present = namespace.status?.conditions?.find(({ type }) => type === 'NamespaceContentRemaining');
  return {
    type: 'NamespaceContentRemaining',
    status,
    reason: left ? 'SomeResourcesRemain' : 'ContentRemoved',
    message: left ? `Some resources are remaining: ${remaining.slice(0, 5).join(', ')}` : 'All content successfully removed',
    lastTransitionTime: present?.status === status && present.lastTransitionTime ? present.lastTransitionTime : now,
  };
}
