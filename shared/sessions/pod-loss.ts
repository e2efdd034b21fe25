/**
 * What follows from the loss of a running session's pod, whoever noticed it.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { changeSession, type ChangeResult } from './change.ts';
import { removePod } from './end.ts';
import type { ChangeEvent } from './lifecycle.ts';
import type { SessionDocument } from './model.ts';
import { ensureProvisionTask } from './provision-task.ts';

type Loss = Extract<ChangeEvent, { readonly type: 'pod_lost' | 'crash_loop' }>;

/**
 * A session whose workspace is on a volume is rebuilt on it, by its task; another has failed, and what is left of its pod goes. Throws
 * what Kubernetes throws: then the sweep removes the pod.
 */
export async function recordPodLoss(deps: Deps, session: SessionDocument, event: Loss): Promise<ChangeResult | undefined> {
  const result = await changeSession(deps, session.id, event);
  if (result === undefined || !result.changed) return result;
  deps.helpers.forget(session.pod_uid ?? '');
  if (result.session.status === 'creating') await ensureProvisionTask(deps, session.id);
  if (result.session.status === 'failed') await removePod(deps, session, session.pod_uid ?? undefined);
  return result;
}
