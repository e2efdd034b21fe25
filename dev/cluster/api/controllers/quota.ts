/**
 * Keeps `status.hard` and `status.used` of ResourceQuotas. Admission itself counts anew each time and does not need them.
 *
 * @module
 */
import type { KubernetesObject, V1ResourceQuota } from '@kubernetes/client-node';
import { sumUsage, usageOf } from '../admission/quota.ts';
import type { ObjectStore } from '../object-store.ts';
import { formatQuantity } from '../quantity.ts';
import { events, kinds, resourceQuotas } from '../resources.ts';

const counted = kinds.filter((kind) => kind.namespaced && kind !== events);

export function startQuotaController(objects: ObjectStore): () => void {
  const stale = new Set<string>();
  const refresh = (): void => {
    const namespaces = [...stale];
    stale.clear();
    for (const namespace of namespaces) refreshNamespace(objects, namespace);
  };
  const unsubscribe = counted.map((kind) =>
    objects.subscribe<KubernetesObject>(kind, ({ object }) => {
      const namespace = object.metadata?.namespace ?? '';
      if (objects.list(resourceQuotas, namespace).length === 0) return;
      // Many changes of one turn are counted once.
      if (stale.size === 0) queueMicrotask(refresh);
      stale.add(namespace);
    }),
  );
  return () => unsubscribe.forEach((stop) => stop());
}

function refreshNamespace(objects: ObjectStore, namespace: string): void {
  for (const quota of objects.list<V1ResourceQuota>(resourceQuotas, namespace)) {
    const hard = quota.spec?.hard ?? {};
    const usages = counted.flatMap((kind) => objects.list(kind, namespace).map((object) => usageOf(kind, object)));
    const sum = sumUsage(Object.keys(hard), usages);
    const used = Object.fromEntries([...sum].map(([name, quantity]) => [name, formatQuantity(quantity)]));
    objects.update<V1ResourceQuota>(
      resourceQuotas,
      namespace,
      quota.metadata?.name ?? '',
      (object) => void (object.status = { hard, used }),
    );
  }
}
