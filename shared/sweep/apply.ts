/**
 * Does what was planned. Each step reads again what it acts on, and is a compare-and-swap or idempotent.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError, type StoredDocument } from '../documents/port.ts';
import { isConflict, isNotFound } from '../kubernetes/errors.ts';
import { metadataOf } from '../kubernetes/metadata.ts';
import { deleteSnapshot } from '../kubernetes/snapshots.ts';
import { changeSession, readSession } from '../sessions/change.ts';
import { removePod, removeSecrets } from '../sessions/end.ts';
import { ensureExpireTask } from '../sessions/expire-task.ts';
import { withDue } from '../sessions/lifecycle.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { ensureProvisionTask, ensureSweptProvision } from '../sessions/provision-task.ts';
import type { ObjectAction, SessionAction, Sighting } from './actions.ts';
import { adoptClaim } from './adopt.ts';
import { planMend, planSession } from './plan-session.ts';
import type { Tally } from './tally.ts';

type Loss = Extract<SessionAction, { readonly type: 'pod_lost' | 'crash_loop' }>;

export async function applySession(deps: Deps, tally: Tally, session: SessionDocument, action: SessionAction): Promise<void> {
  const fields = { session_id: session.id, user_id: session.user };
  const run = (apply: () => Promise<unknown>): Promise<void> => tally.run(action.type, fields, apply);
  switch (action.type) {
    // Tasks wait for pods; the pass does not: one that will not go would hold up everything else.
    case 'provision':
      return run(() => ensureSweptProvision(deps, session));
    case 'expire':
      return run(() => ensureExpireTask(deps, session));
    case 'mend_due':
      return run(() => mendDue(deps, session.id));
    case 'container_restarted': {
      const { type, podUid, count, message } = action;
      return run(() => changeSession(deps, session.id, { type, podUid, count, message }));
    }
    case 'forget_secrets':
      return tally.clusterIsAway ? undefined : run(() => forgetSecrets(deps, session.id));
    case 'pod_lost':
    case 'crash_loop':
      return tally.clusterIsAway ? undefined : applyLoss(deps, tally, session, action);
  }
}

/** What was seen may be older than the document: it is looked for once more before anybody is told, in a dry run, too. */
async function applyLoss(deps: Deps, tally: Tally, session: SessionDocument, planned: Loss): Promise<void> {
  const fields = { session_id: session.id, user_id: session.user };
  let loss: Loss | undefined;
  try {
    loss = await confirmLoss(deps, session, planned);
  } catch (error) {
    return tally.fail('look_at_pod', fields, error);
  }
  if (loss === undefined) return;
  const { type, reason } = loss;
  const event = { type, reason, podUid: session.pod_uid };
  await tally.run(type, { ...fields, reason }, async () => {
    // First the pod, whatever is left of it: nobody would look for it once its session has failed.
    if (session.pod_uid !== null) await removePod(deps, session, session.pod_uid);
    const result = await changeSession(deps, session.id, event);
    if (result?.session.status === 'creating') await ensureProvisionTask(deps, session.id);
  });
}

async function confirmLoss(deps: Deps, session: SessionDocument, planned: Loss): Promise<Loss | undefined> {
  const { core } = await deps.kubernetes();
  try {
    const pod = await core.readNamespacedPod({ name: session.pod_name, namespace: session.k8s_namespace });
    const action = planSession(session, { kind: 'pod', pod, ...metadataOf(pod) }, deps.clock.now());
    return action?.type === 'pod_lost' || action?.type === 'crash_loop' ? action : undefined;
  } catch (error) {
    if (isNotFound(error)) return planned;
    throw error;
  }
}

async function forgetSecrets(deps: Deps, id: string): Promise<void> {
  const stored = await readSession(deps, id);
  if (stored?.data.status !== 'terminated') return;
  await removeSecrets(deps, stored.data);
  await replace(deps, stored, { ...stored.data, due_at: null });
}

async function mendDue(deps: Deps, id: string): Promise<void> {
  const stored = await readSession(deps, id);
  if (stored !== undefined && planMend(stored.data) !== undefined) await replace(deps, stored, withDue(stored.data));
}

/** Who changed it meanwhile has put its time right, too. */
async function replace(deps: Deps, stored: StoredDocument<SessionDocument>, next: SessionDocument): Promise<void> {
  try {
    await deps.store.update(stored.key, next, stored.version);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'conflict') throw error;
  }
}

export async function applyObject(deps: Deps, tally: Tally, action: ObjectAction): Promise<void> {
  if (tally.clusterIsAway) return;
  const { sighting } = action;
  const { kind, name, namespace } = sighting;
  const fields = { object: name, ...(namespace === '' ? {} : { k8s_namespace: namespace }) };
  switch (action.type) {
    case 'remove_object':
      return tally.run(`remove_${kind}`, { ...fields, why: action.why }, () => removeObject(deps, sighting));
    case 'adopt_claim':
      return tally.run('adopt_claim', { ...fields, session_id: action.sessionIds[0] ?? '' }, () => adoptClaim(deps, action));
    case 'namespace_stuck':
      return tally.report('namespace_stuck', { ...fields, since: action.since });
  }
}

/** That very object: one that was made anew under its name is another's business. */
async function removeObject(deps: Deps, { kind, name, namespace, uid }: Sighting): Promise<void> {
  const kubernetes = await deps.kubernetes();
  const { core, networking, batch } = kubernetes;
  const body = { preconditions: { uid } };
  const remove: Readonly<Record<Sighting['kind'], () => Promise<unknown>>> = {
    pod: () => core.deleteNamespacedPod({ name, namespace, body }),
    claim: () => core.deleteNamespacedPersistentVolumeClaim({ name, namespace, body }),
    snapshot: () => deleteSnapshot(kubernetes, namespace, name, uid),
    job: () => batch.deleteNamespacedJob({ name, namespace, body: { ...body, propagationPolicy: 'Background' } }),
    policy: () => networking.deleteNamespacedNetworkPolicy({ name, namespace, body }),
    namespace: () => core.deleteNamespace({ name, body }),
  };
  try {
    await remove[kind]();
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
