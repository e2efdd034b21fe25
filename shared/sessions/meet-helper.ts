/**
 * The last step of a start: a session is ready when the helper in its pod has answered.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import type { ErrorCode } from '../errors/catalog.ts';
import { statusOf } from '../kubernetes/errors.ts';
import { pause } from '../kubernetes/retry.ts';
import type { StartOutcome } from './lifecycle.ts';
import type { SessionDocument } from './model.ts';
import { leftMs, type Readiness } from './readiness.ts';
import { podTarget } from './session-helper.ts';

const TRY_AGAIN_MS = 200;
/** They pass by themselves: the pod is looked at again. A pod that is just starting may be too busy to answer at once. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'pod_restarting',
  'helper_unreachable',
  'helper_connection_lost',
  'helper_protocol_error',
  'conflict',
]);

/** The image has no shell to take the helper by upload: it has to come by an init container, where there is an image for that. */
export function withoutShell({ config }: Deps): StartOutcome {
  if (config.helperImage !== undefined && config.helperDelivery === 'auto') return { type: 'no_shell' };
  const reason = 'no_shell: the image has no shell, and no image with the helper is configured (BERTH_HELPER_IMAGE)';
  return { type: 'start_failed', reason };
}

/**
 * What has become of the session; in words what is in the way, where it has to be looked at again; `undefined` where nobody waits any
 * more. Throws where the cluster cannot be reached.
 */
export async function meetHelper(
  deps: Deps,
  session: SessionDocument,
  pod: Extract<Readiness, { kind: 'ready' }>,
  within: AbortSignal,
): Promise<StartOutcome | string | undefined> {
  using deadline = startDeadline(leftMs(deps, session), within);
  const { signal } = deadline;
  try {
    const target = podTarget(deps, session, pod.podUid);
    await deps.helpers.deliver(target, signal);
    const { kind } = await deps.helpers.channel(target, signal);
    return { type: 'pod_ready', podUid: pod.podUid, nodeName: pod.nodeName, channel: kind };
  } catch (error) {
    if (signal.aborted) return undefined;
    if (!(error instanceof AppError)) throw error;
    if (error.code === 'helper_no_shell') return withoutShell(deps);
    if (!PASSING.has(error.code) && !isNodeAway(error)) {
      if (error.code === 'cluster_unavailable') throw error;
      return { type: 'start_failed', reason: `helper: ${error.detail}` };
    }
    await pause(TRY_AGAIN_MS, signal).catch(() => {});
    return `helper: ${error.detail}`;
  }
}

/** The API server is there and has answered; the node's kubelet cannot serve an exec yet, as on a node that has just joined. */
function isNodeAway(error: AppError): boolean {
  return error.code === 'cluster_unavailable' && (statusOf(error.cause)?.code ?? 0) >= 500;
}
