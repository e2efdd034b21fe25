/**
 * Whether an object in the cluster belongs to something. Pure. A document is always written before its objects and outlives them, so
 * what no document stands for is left over, or somebody made it by hand under our labels; `store` is read after the object was seen.
 *
 * @module
 */
import { labels, podName } from '../pods/names.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { ObjectAction, Sighting } from './actions.ts';
import type { StorePage } from './pages.ts';

export type OrphanPlan = ObjectAction | { readonly type: 'unsettled'; readonly sighting: Sighting } | undefined;

/** What has to be so old before it counts as an orphan, where no document has ever told of it. */
export interface OrphanRules {
  readonly graceMs: number;
}

/** `undefined`: it belongs to something, or is on its way out. */
export function planObject(sighting: Sighting, store: StorePage, now: Date, { graceMs }: OrphanRules): OrphanPlan {
  if (sighting.deletedAt !== null) return planLeaving(sighting, store, now);
  if (sighting.isOwned) return undefined;
  const verdict = judge(sighting, store);
  if (verdict === undefined) return undefined;
  if (verdict.type !== 'orphan') return verdict;
  // What a document names as over may go at once; of what none tells, it may only not be readable yet.
  const isYoung = !verdict.isKnown && now.getTime() - Date.parse(sighting.createdAt) < graceMs;
  return isYoung ? { type: 'unsettled', sighting } : { type: 'remove_object', sighting, why: verdict.why };
}

/** What a namespace's deletion takes where nothing is in its way: seconds, and the grace periods of its pods. */
export const STUCK_AFTER_MS = 5 * 60_000;

function planLeaving(sighting: Sighting, { namespaces }: StorePage, now: Date): OrphanPlan {
  const since = sighting.deletedAt;
  if (sighting.kind !== 'namespace' || since === null || namespaces.has(sighting.name)) return undefined;
  return now.getTime() - Date.parse(since) < STUCK_AFTER_MS ? undefined : { type: 'namespace_stuck', sighting, since };
}

type Verdict =
  | { readonly type: 'orphan'; readonly why: string; readonly isKnown: boolean }
  | Extract<OrphanPlan, { readonly type: 'adopt_claim' | 'unsettled' }>
  | undefined;

function unknown(why: string): Verdict {
  return { type: 'orphan', why, isKnown: false };
}

function over(why: string): Verdict {
  return { type: 'orphan', why, isKnown: true };
}

function judge(sighting: Sighting, store: StorePage): Verdict {
  switch (sighting.kind) {
    case 'pod':
      return judgePod(sighting, sessionOf(sighting, store));
    case 'job':
      return judgeJob(sessionOf(sighting, store));
    case 'claim':
      return judgeClaim(sighting, store);
    case 'snapshot':
      return judgeSnapshot(sighting, store);
    case 'policy':
      return judgePolicy(sighting, store);
    case 'namespace':
      return store.namespaces.has(sighting.name) ? undefined : unknown('no document names this namespace');
  }
}

function sessionOf({ labels: given }: Sighting, store: StorePage): SessionDocument | undefined {
  return store.sessions.get(given[labels.session] ?? '');
}

function judgePod(pod: Sighting, session: SessionDocument | undefined): Verdict {
  if (session === undefined) return unknown('its session is not known');
  if (pod.name !== podName(session.id) || pod.namespace !== session.k8s_namespace) return unknown('it is not the pod of its session');
  if (session.status === 'terminated' || session.status === 'failed' || session.status === 'stopped') {
    return over(`its session is ${session.status}`);
  }
  const generation = Number(pod.labels[labels.generation]);
  if (Number.isInteger(generation) && generation < session.generation) return over('its session has another pod by now');
  // Should the session fail, and who made it die before the pod is removed, nothing would tell of the pod again.
  return session.status === 'creating' ? { type: 'unsettled', sighting: pod } : undefined;
}

/** A job outlives its session's pod, not its session. */
function judgeJob(session: SessionDocument | undefined): Verdict {
  if (session === undefined) return unknown('its session is not known');
  return session.status === 'terminated' ? over('its session is terminated') : undefined;
}

function judgeClaim(claim: Sighting, { volumes, sessions }: StorePage): Verdict {
  const id = claim.labels[labels.volume] ?? '';
  const volume = volumes.get(id);
  if (volume !== undefined && volume.claim_name === claim.name && volume.k8s_namespace === claim.namespace) {
    if (volume.status === 'deleted') return over('its volume is deleted');
    return claim.labels[labels.incarnation] === volume.incarnation ? undefined : over('an earlier volume of its name had it');
  }
  const users = [...sessions.values()].filter((session) => mounts(session, claim)).map((session) => session.id);
  if (users.length > 0) return volume === undefined ? { type: 'adopt_claim', sighting: claim, sessionIds: users } : undefined;
  return unknown(volume === undefined ? 'its volume is not known' : 'it is not the claim of its volume');
}

function mounts(session: SessionDocument, claim: Sighting): boolean {
  if (session.status === 'terminated' || session.k8s_namespace !== claim.namespace) return false;
  return session.spec.volumes.some(({ type, source }) => type === 'persistent_volume' && source === claim.name);
}

/** It outlives its volume. */
function judgeSnapshot({ name, namespace, labels: given }: Sighting, { snapshots }: StorePage): Verdict {
  const snapshot = snapshots.get(given[labels.snapshot] ?? '');
  if (snapshot?.snapshot_name !== name || snapshot.k8s_namespace !== namespace) return unknown('no document names this snapshot');
  return snapshot.status === 'deleted' ? over('it is deleted') : undefined;
}

/** All of Berth's own are named so. */
const POLICY_NAME = /^berth-/;

function judgePolicy(policy: Sighting, { namespaces }: StorePage): Verdict {
  if (!namespaces.has(policy.namespace)) return unknown('its namespace is not known');
  return POLICY_NAME.test(policy.name) ? undefined : unknown('no namespace has a policy of this name');
}
