/**
 * Takes away what a session has: its pod, its Secret, its place in the namespace and in its owner's limits.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import { isNotFound } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { envSecretName, helperSecretName } from '../pods/names.ts';
import { changeSession } from './change.ts';
import type { SessionDocument } from './model.ts';
import { expireTaskName, wakeTime } from './task-names.ts';

/** Asks Kubernetes to end the session's pod and answers whether it was there. Its grace period is the manifest's. */
export async function removePod(deps: Deps, session: SessionDocument): Promise<boolean> {
  const { core } = await deps.kubernetes();
  try {
    await core.deleteNamespacedPod({ name: session.pod_name, namespace: session.k8s_namespace });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/**
 * Brings a session that is `terminating` to `terminated`. The document says so only when everything is gone, so whoever dies in between
 * leaves it to the next one. When the signal aborts first, the session stays `terminating`. Throws what Kubernetes throws.
 */
export async function finishTermination(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<SessionDocument> {
  const kubernetes = await deps.kubernetes();
  await removeSecrets(deps, session);
  if (await removePod(deps, session)) {
    await waitUntilGone(kubernetes, session, signal);
    if (signal.aborted) return session;
    // A create that was under way may have written it meanwhile.
    await removeSecrets(deps, session);
  }
  deps.helpers.forget(session.pod_uid ?? '');
  const [released] = await Promise.all([
    changeSession(deps, session.id, { type: 'released' }),
    deps.queue.withdraw(expireTaskName(session.id, wakeTime(session, new Date(session.created_at)))),
  ]);
  return released?.session ?? session;
}

/** Removes the values of `env`, and what the helper proves itself with. */
export async function removeSecrets(deps: Deps, session: SessionDocument): Promise<void> {
  const names = [...(session.spec.env_names.length === 0 ? [] : [envSecretName(session.id)]), ...helperSecretNames(session)];
  if (names.length === 0) return;
  const { core } = await deps.kubernetes();
  for (const name of names) await removeObject(() => core.deleteNamespacedSecret({ name, namespace: session.k8s_namespace }));
}

/** Of all generations: who provisioned an earlier one may have been late. */
function helperSecretNames({ id, generation, helper }: SessionDocument): readonly string[] {
  if ((helper?.secret ?? null) === null) return [];
  return Array.from({ length: generation }, (_, index) => helperSecretName(id, generation - index));
}

/** What is gone already is as good as removed. */
export async function removeObject(remove: () => Promise<unknown>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Watches the pod from its present state on, so that its end cannot be missed. */
async function waitUntilGone(kubernetes: Kubernetes, session: SessionDocument, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const events = kubernetes.watch<V1Pod>({
    path: `/api/v1/namespaces/${session.k8s_namespace}/pods`,
    fieldSelector: `metadata.name=${session.pod_name}`,
    signal: AbortSignal.any([signal, done.signal]),
  });
  let present = false;
  for await (const event of events) {
    if (event.type === 'ADDED' || event.type === 'MODIFIED') present = true;
    else if (event.type === 'RESTARTED') present = false;
    else if (event.type === 'DELETED' || !present) return done.abort();
  }
}
