/**
 * Takes away what a session has: its pod, its Secret, its place in the namespace and in its owner's limits.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import { isConflict, isNotFound } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { envSecretName, helperSecretName } from '../pods/names.ts';
import { releaseVolumes } from '../storage/release.ts';
import { runBeforeStop } from './before-stop.ts';
import { changeSession } from './change.ts';
import { activityKey } from './collections.ts';
import type { SessionDocument } from './model.ts';
import { expireTaskName, wakeTime } from './task-names.ts';

/** A kubelet that has not confirmed a deletion for so long after its time is not there any more: its node is lost. */
const LOST_NODE_MS = 60_000;

/**
 * Asks Kubernetes to end the session's pod and answers whether it was there; with a `uid`, that pod and no other. Its grace period is the
 * manifest's. A pod that a lost node will never confirm is taken out of the API: else it would keep its name, and the session's place
 * among its owner's limits, until the node comes back.
 */
export async function removePod(deps: Deps, session: SessionDocument, uid?: string): Promise<boolean> {
  return deletePod(deps, { name: session.pod_name, namespace: session.k8s_namespace }, uid);
}

/** The one that was read, by its uid: somebody else may have made the next one meanwhile. One that is going is left to go. */
export async function removeThisPod(deps: Deps, { metadata }: V1Pod): Promise<void> {
  const { name = '', namespace = '', uid, deletionTimestamp } = metadata ?? {};
  const goes = deletionTimestamp !== undefined && !isBeyondReach(deletionTimestamp, deps.clock.now());
  if (uid !== undefined && !goes) await deletePod(deps, { name, namespace }, uid);
}

async function deletePod(deps: Deps, pod: { readonly name: string; readonly namespace: string }, uid?: string): Promise<boolean> {
  const { core } = await deps.kubernetes();
  const preconditions = uid === undefined ? {} : { preconditions: { uid } };
  try {
    const { metadata } = await core.deleteNamespacedPod({ ...pod, body: preconditions });
    if (!isBeyondReach(metadata?.deletionTimestamp, deps.clock.now())) return true;
    await core.deleteNamespacedPod({ ...pod, body: { ...preconditions, gracePeriodSeconds: 0 } });
    return true;
  } catch (error) {
    // The other pod of that name is none of ours here.
    if (isNotFound(error) || (uid !== undefined && isConflict(error))) return false;
    throw error;
  }
}

/** `deletionTimestamp` is when the pod should have been gone, its grace period included. */
function isBeyondReach(deletionTimestamp: Date | string | undefined, now: Date): boolean {
  return deletionTimestamp !== undefined && now.getTime() - new Date(deletionTimestamp).getTime() >= LOST_NODE_MS;
}

/**
 * Brings a session that is `terminating` to `terminated`. The document says so only when everything is gone, so whoever dies in between
 * leaves it to the next one. When the signal aborts first, the session stays `terminating`. Throws what Kubernetes throws.
 */
export async function finishTermination(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<SessionDocument> {
  const kubernetes = await deps.kubernetes();
  const note = await runBeforeStop(deps, session, signal);
  if (signal.aborted) return session;
  await removeSecrets(deps, session);
  if (await removePod(deps, session)) {
    await waitUntilGone(kubernetes, session, signal);
    if (signal.aborted) return session;
    // A create that was under way may have written it meanwhile.
    await removeSecrets(deps, session);
  }
  deps.helpers.forget(session.pod_uid ?? '');
  await releaseVolumes(deps, session, { preserve: session.preserve_data, signal });
  const [released] = await Promise.all([
    changeSession(deps, session.id, { type: 'released', ...(note === undefined ? {} : { note }) }),
    deps.queue.withdraw(expireTaskName(session.id, wakeTime(session, new Date(session.created_at)))),
  ]);
  if (session.idle_timeout_minutes !== null) await deps.store.delete(activityKey(session.id));
  return released?.session ?? session;
}

/** Removes the values of `env`, and what the helper proves itself with. */
export async function removeSecrets(deps: Deps, session: SessionDocument): Promise<void> {
  const names = [...(session.spec.env_names.length === 0 ? [] : [envSecretName(session.id)]), ...helperSecretNames(session)];
  if (names.length === 0) return;
  const { core } = await deps.kubernetes();
  for (const name of names) await removeObject(() => core.deleteNamespacedSecret({ name, namespace: session.k8s_namespace }));
}

/** A start removes the one before; who provisioned an earlier pod may have been late by a few. */
const LATE_GENERATIONS = 5;

function helperSecretNames({ id, generation, helper }: SessionDocument): readonly string[] {
  if ((helper?.secret ?? null) === null) return [];
  return Array.from({ length: Math.min(generation, LATE_GENERATIONS) }, (_, index) => helperSecretName(id, generation - index));
}

/** What is gone already is as good as removed. */
export async function removeObject(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/**
 * Watches the pod from its present state on, so that its end cannot be missed. With a `uid`: another pod of that name means that it is
 * gone.
 */
export async function waitUntilGone(kubernetes: Kubernetes, session: SessionDocument, signal: AbortSignal, uid?: string): Promise<void> {
  const done = new AbortController();
  const events = kubernetes.watch<V1Pod>({
    path: `/api/v1/namespaces/${session.k8s_namespace}/pods`,
    fieldSelector: `metadata.name=${session.pod_name}`,
    signal: AbortSignal.any([signal, done.signal]),
  });
  let present = false;
  for await (const event of events) {
    if (event.type === 'ADDED' || event.type === 'MODIFIED') {
      present = uid === undefined || event.object.metadata?.uid === uid;
      if (!present) return done.abort();
    } else if (event.type === 'RESTARTED') present = false;
    else if (event.type === 'DELETED' || !present) return done.abort();
  }
}
