/**
 * What a pod's status means to the one who waits for it: still coming, ready, or never going to be, and why, in words. Pure.
 *
 * @module
 */
import type { CoreV1Event, V1ContainerStateTerminated, V1ContainerStatus, V1Pod } from '@kubernetes/client-node';
import { containerName } from './names.ts';

export type PodState =
  | { readonly kind: 'pending'; readonly reason: string; readonly message: string }
  | { readonly kind: 'ready'; readonly uid: string; readonly podIp: string; readonly nodeName: string; readonly restartCount: number }
  | { readonly kind: 'failed'; readonly reason: string; readonly message: string };

export interface PodStateOptions {
  readonly now: Date;
  /** The pod's events, in any order: they tell of scale-ups and mounts, which the status does not. */
  readonly events?: readonly CoreV1Event[];
  /** How long no node may be found before that is final. An autoscaler that is adding one is waited for. */
  readonly unschedulableAfterSeconds?: number;
}

// What a process ends with on TERM: Berth itself, or the session's own `kill -TERM 1`, asked for the restart.
const EXIT_TERMINATED = 143;
const UNSCHEDULABLE_AFTER_SECONDS = 60;
const MAX_MESSAGE = 1_000;

export function podState(pod: V1Pod, options: PodStateOptions): PodState {
  return endedState(pod) ?? containerFailure(pod) ?? readyState(pod) ?? pendingState(pod, options);
}

const endedReasons: Readonly<Record<string, string>> = {
  Evicted: 'The node evicted the pod',
  DeadlineExceeded: 'The pod has reached its longest life',
  NodeLost: 'The node of the pod was lost',
  NodeShutdown: 'The node of the pod was shut down',
  Terminated: 'The node of the pod was shut down',
  Preempting: 'The pod made room for a more important one',
  UnexpectedAdmissionError: 'The node refused the pod',
};

function endedState(pod: V1Pod): PodState | undefined {
  const { phase, reason = phase ?? 'Failed', message } = pod.status ?? {};
  if (phase === 'Failed' || phase === 'Succeeded') {
    const terminated = sessionStatus(pod)?.state?.terminated;
    if (pod.status?.reason === undefined && terminated?.reason === 'OOMKilled') return failed('OOMKilled', outOfMemory);
    return failed(reason, endedReasons[reason] ?? `The pod has ended (${reason})`, message);
  }
  if (pod.metadata?.deletionTimestamp !== undefined) return failed('Deleted', 'The pod is being deleted.');
  return undefined;
}

/** Of the session's own container. GKE may put the sidecar of a bucket before it. */
export function sessionStatus(pod: V1Pod): V1ContainerStatus | undefined {
  const statuses = pod.status?.containerStatuses ?? [];
  return statuses.find(({ name }) => name === containerName) ?? statuses[0];
}

const outOfMemory = 'The container was killed because it used more memory than its limit.';

const waitingFailures: Readonly<Record<string, (image: string) => string>> = {
  ErrImagePull: (image) => `The image "${image}" could not be pulled`,
  ImagePullBackOff: (image) => `The image "${image}" could not be pulled`,
  ErrImageNeverPull: (image) => `The image "${image}" is not on the node, and may not be pulled`,
  RegistryUnavailable: (image) => `The registry of the image "${image}" does not answer`,
  InvalidImageName: (image) => `"${image}" is not a valid name of an image`,
  ImageInspectError: (image) => `The image "${image}" cannot be used`,
  SignatureValidationFailed: (image) => `The signature of the image "${image}" is not accepted`,
  CreateContainerConfigError: () => "The container's configuration cannot be used",
  CreateContainerError: () => 'The container could not be created',
  RunContainerError: () => 'The container could not be started',
  PostStartHookError: () => 'The container could not be started',
};

function containerFailure(pod: V1Pod): PodState | undefined {
  for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const { reason = '', message } = status.state?.waiting ?? {};
    const words = waitingFailures[reason]?.(imageOf(pod, status));
    if (words !== undefined) return failed(reason, words, message);
    if (reason === 'CrashLoopBackOff') return crashLoop(status);
  }
  return undefined;
}

// The status shows what the runtime made of the name, which for a bad name is nothing.
function imageOf(pod: V1Pod, status: V1ContainerStatus): string {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  return containers.find(({ name }) => name === status.name)?.image ?? status.image;
}

function crashLoop(status: V1ContainerStatus): PodState {
  const last = status.lastState?.terminated;
  if (last?.exitCode === EXIT_TERMINATED) return pending('Restarting', 'The container is being restarted.');
  if (last?.reason === 'OOMKilled') return failed('CrashLoopBackOff', outOfMemory);
  const times = status.restartCount === 1 ? 'once' : `${String(status.restartCount)} times`;
  return failed('CrashLoopBackOff', `The container's command keeps ending (${endOf(last)}; restarted ${times})`, last?.message);
}

function endOf(terminated: V1ContainerStateTerminated | undefined): string {
  if (terminated === undefined) return 'reason unknown';
  if (terminated.reason === 'StartError' || terminated.reason === 'ContainerCannotRun') return 'it could not be started';
  return `last with exit code ${String(terminated.exitCode)}`;
}

function readyState(pod: V1Pod): PodState | undefined {
  const isReady = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  if (!isReady) return undefined;
  return {
    kind: 'ready',
    uid: pod.metadata?.uid ?? '',
    podIp: pod.status?.podIP ?? '',
    nodeName: pod.spec?.nodeName ?? '',
    restartCount: sessionStatus(pod)?.restartCount ?? 0,
  };
}

function pendingState(
  pod: V1Pod,
  { now, events = [], unschedulableAfterSeconds = UNSCHEDULABLE_AFTER_SECONDS }: PodStateOptions,
): PodState {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') {
    if (events.some(({ reason }) => reason === 'TriggeredScaleUp'))
      return pending('ScalingUp', 'The cluster is adding a node for the pod.');
    const waitedSeconds = (now.getTime() - timeOf(scheduled.lastTransitionTime, now)) / 1_000;
    const words = 'No node has room for the pod';
    return waitedSeconds >= unschedulableAfterSeconds
      ? failed('Unschedulable', words, scheduled.message)
      : pending('Unschedulable', sentence(words, scheduled.message));
  }
  if (scheduled?.status !== 'True') return pending('Scheduling', 'The pod waits for a node.');
  const warning = latestWarning(events);
  if (warning !== undefined) return pending(warning.reason ?? 'Warning', sentence('The pod is not ready yet', warning.message));
  const status = sessionStatus(pod);
  if (status?.state?.terminated !== undefined) return pending('Restarting', 'The container is being restarted.');
  const reason = status?.state?.waiting?.reason ?? 'Starting';
  return pending(
    reason,
    status?.state?.running === undefined ? 'The container is being created.' : 'The container runs, but is not ready yet.',
  );
}

// Mounts and sandboxes fail in events only. What has gone well since then is not a warning's business any more.
function latestWarning(events: readonly CoreV1Event[]): CoreV1Event | undefined {
  const moment = (event: CoreV1Event): number =>
    timeOf(event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp, new Date(0));
  const latest = events.toSorted((a, b) => moment(b) - moment(a))[0];
  return latest?.type === 'Warning' && latest.reason !== 'FailedScheduling' ? latest : undefined;
}

function timeOf(time: Date | string | undefined, fallback: Date): number {
  return time === undefined ? fallback.getTime() : new Date(time).getTime();
}

function pending(reason: string, message: string): PodState {
  return { kind: 'pending', reason, message };
}

function failed(reason: string, words: string, kubernetes?: string): PodState {
  return { kind: 'failed', reason, message: sentence(words, kubernetes) };
}

function sentence(words: string, kubernetes: string | undefined): string {
  const own = words.endsWith('.') ? words : `${words}.`;
  if (kubernetes === undefined || kubernetes.trim() === '') return own;
  return `${own.slice(0, -1)}: ${kubernetes.trim()}`.slice(0, MAX_MESSAGE);
}
