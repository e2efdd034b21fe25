/**
 * What has to be done so that store and cluster agree. Pure: a page of documents and the page of objects that belongs to it in, actions
 * out.
 *
 * @module
 */
import type { V1Namespace } from '@kubernetes/client-node';
import { mayRelease } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import type { NamespaceAction, ObjectAction, SessionAction, Sighting } from './actions.ts';
import type { ClusterPage, StorePage } from './pages.ts';
import { planObject, STUCK_AFTER_MS, type OrphanRules } from './plan-orphan.ts';
import { planSession } from './plan-session.ts';

export interface SweepPlan {
  readonly sessions: readonly SessionAction[];
  readonly objects: readonly ObjectAction[];
  /** To be judged again in the next pass. */
  readonly unsettled: readonly Sighting[];
}

export function planSweep(store: StorePage, cluster: ClusterPage, now: Date, rules: OrphanRules): SweepPlan {
  const pods = new Map(cluster.objects.filter(({ kind }) => kind === 'pod').map((pod) => [place(pod), pod]));
  const sessions: SessionAction[] = [];
  for (const session of store.sessions.values()) {
    const pod = pods.get(place({ namespace: session.k8s_namespace, name: session.pod_name }));
    if (pod === undefined && !cluster.hasPodsOf.has(session.id)) continue;
    const action = planSession(session, pod, now);
    if (action !== undefined) sessions.push(action);
  }
  const objects: ObjectAction[] = [];
  const unsettled: Sighting[] = [];
  for (const sighting of cluster.objects) {
    const plan = planObject(sighting, store, now, rules);
    if (plan?.type === 'unsettled') unsettled.push(plan.sighting);
    else if (plan !== undefined) objects.push(plan);
  }
  return { sessions, objects, unsettled };
}

function place({ namespace, name }: Pick<Sighting, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** About a namespace that nobody needs any more. `present` is the Kubernetes namespace, where there is one. */
export function planNamespace(
  document: NamespaceDocument,
  present: V1Namespace | undefined,
  lingerSeconds: number,
  now: Date,
): NamespaceAction | undefined {
  if (!mayRelease(document, lingerSeconds, now)) return undefined;
  if (present === undefined) return { type: 'forget_namespace' };
  const deleted = present.metadata?.deletionTimestamp;
  if (deleted === undefined || document.state !== 'releasing') return { type: 'release_namespace' };
  const since = new Date(deleted);
  return now.getTime() - since.getTime() >= STUCK_AFTER_MS ? { type: 'namespace_stuck', since: since.toISOString() } : undefined;
}
