/**
 * What every way to a pod does first.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { AppError } from '../errors/app-error.ts';
import { callOptions } from '../kubernetes/call-options.ts';
import { isNotFound, statusOf, translateKubernetesError } from '../kubernetes/errors.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import type { PodTarget } from './port.ts';

/** What kubelet, containerd and runc say of a container that is between two runs, or ends at this moment (seen with 1.34). */
const NOT_RUNNING = new RegExp(
  [
    'container not found',
    'container \\S+ is not (?:running|created)',
    'container (?:is )?not (?:created|running)',
    'does not have a host assigned',
    'no running task found',
    'task \\S+ not found',
    'cannot exec in a (?:stopped|deleted) ',
    'read init-p: connection reset by peer',
    'ttrpc: closed',
  ].join('|'),
);

export const saysNotRunning = (message: string): boolean => NOT_RUNNING.test(message);

export function restarting(cause: unknown): AppError {
  return new AppError('pod_restarting', "The session's container is restarting.", { cause, retryAfterSeconds: 1 });
}

export function unreachable(detail: string, cause?: unknown): AppError {
  return new AppError('helper_unreachable', detail, cause === undefined ? {} : { cause });
}

/**
 * The pod, which is the one that is meant: a later pod of the session has the same name. Throws `AppError` `conflict` where it is gone,
 * and for what Kubernetes answers else.
 */
export async function readPod(kubernetes: Kubernetes, target: PodTarget, signal: AbortSignal): Promise<V1Pod> {
  const pod = await kubernetes.core
    .readNamespacedPod({ name: target.pod, namespace: target.namespace }, callOptions({ signal }))
    .catch((error: unknown) => {
      throw translateOpening(error, signal);
    });
  if (pod.metadata?.uid !== target.podUid) throw gone();
  return pod;
}

/** What a call that opens a way to the pod has thrown, as an `AppError`; the signal's reason where that was aborted. */
export function translateOpening(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (isNotFound(error)) return gone(error);
  if (saysNotRunning(statusOf(error)?.message ?? '')) return restarting(error);
  return translateKubernetesError(error);
}

function gone(cause?: unknown): AppError {
  return new AppError('conflict', "The session's pod is gone.", cause === undefined ? {} : { cause });
}

/**
 * A stream of Kubernetes lives as long as the signal that it was opened with. What this answers aborts with `opening`, but only until
 * `opened` is called.
 */
export function untilOpened(opening: AbortSignal): { readonly signal: AbortSignal; opened(): void; abandon(): void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort(opening.reason);
  if (opening.aborted) abort();
  opening.addEventListener('abort', abort, { once: true });
  const opened = (): void => opening.removeEventListener('abort', abort);
  return {
    signal: controller.signal,
    opened,
    abandon: () => {
      opened();
      controller.abort();
    },
  };
}
