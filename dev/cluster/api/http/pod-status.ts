/**
 * What `kubectl get pods` shows as READY, STATUS and RESTARTS.
 *
 * @module
 */
import type { V1ContainerState, V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { ageOf } from './age.ts';

/** The status in one word: the first reason that matters, looked for as the real printer does. */
export function podStatusText(pod: V1Pod): string {
  const { status, metadata } = pod;
  if (metadata?.deletionTimestamp !== undefined) return status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  const fallback = status?.reason ?? status?.phase ?? 'Unknown';
  const init = initReason(pod);
  if (init !== undefined) return init;
  let reason = fallback;
  let running = false;
  for (const { state, ready } of (status?.containerStatuses ?? []).toReversed()) {
    reason = stateReason(state) ?? reason;
    if (state?.running && ready) running = true;
  }
  // A container that has ended beside one that runs: the pod is running.
  if (reason === 'Completed' && running)
    return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true ? 'Running' : 'NotReady';
  return reason;
}

function stateReason(state: V1ContainerState | undefined): string | undefined {
  if (state?.waiting?.reason) return state.waiting.reason;
  const ended = state?.terminated;
  if (!ended) return undefined;
  if (ended.reason) return ended.reason;
  return ended.signal ? `Signal:${ended.signal}` : `ExitCode:${ended.exitCode}`;
}

function initReason({ spec, status }: V1Pod): string | undefined {
  const total = spec?.initContainers?.length ?? 0;
  for (const [index, { state }] of (status?.initContainerStatuses ?? []).entries()) {
    if (state?.terminated?.exitCode === 0) continue;
    const reason = stateReason(state);
    return reason === undefined || reason === 'PodInitializing' ? `Init:${index}/${total}` : `Init:${reason}`;
  }
  return undefined;
}

export function readyText({ spec, status }: V1Pod): string {
  const ready = (status?.containerStatuses ?? []).filter((container) => container.ready).length;
  return `${ready}/${spec?.containers.length ?? 0}`;
}

/** `2 (5m ago)`; of the init containers while these run. */
export function restartsText(pod: V1Pod, now: Date): string {
  const { status } = pod;
  const statuses: readonly V1ContainerStatus[] =
    (initReason(pod) === undefined ? status?.containerStatuses : status?.initContainerStatuses) ?? [];
  const count = statuses.reduce((sum, { restartCount }) => sum + restartCount, 0);
  const last = statuses
    .flatMap(({ lastState }) => lastState?.terminated?.finishedAt ?? [])
    .toSorted((left, right) => new Date(left).getTime() - new Date(right).getTime())
    .at(-1);
  return count === 0 || last === undefined ? String(count) : `${count} (${ageOf(last, now)} ago)`;
}
