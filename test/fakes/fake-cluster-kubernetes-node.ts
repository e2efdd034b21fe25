/**
 * The node of a cluster in memory: takes pods up, and does to them what the test decides for each: ready after a while, never, a bad
 * image, and later a crash loop, an eviction, a lost node.
 */
import type { V1Pod, V1PodStatus } from '@kubernetes/client-node';
import type { FakeClock } from './fake-clock.ts';
import { claimsOf, type ClusterObject, type ClusterObjects } from './fake-cluster-kubernetes-objects.ts';

/** What becomes of a new pod. */
export type PodFate = 'ready' | 'bad image' | 'no node' | 'never ready';

export interface NodeOptions {
  readonly clock: FakeClock;
  readonly objects: ClusterObjects;
  readonly fate: (pod: V1Pod) => PodFate;
  /** Milliseconds from one step of a pod's start to the next. */
  readonly stepMs: () => number;
}

const NODE = 'node-1';
const CLAIM_AGAIN_MS = 1000;

/** From now on, pods that are created start. */
export function startNode(options: NodeOptions): void {
  const { clock, objects } = options;
  objects.onChange(({ kind, type, object }) => {
    if (kind === 'Pod' && type === 'ADDED') clock.after(options.stepMs(), () => schedule(options, object));
  });
}

function schedule(options: NodeOptions, pod: ClusterObject): void {
  const { clock, objects } = options;
  const fate = options.fate(pod);
  if (fate === 'no node') {
    setStatus(objects, pod, {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime: clock.now(), message: 'full' }],
    });
    return;
  }
  if (!bindClaims(objects, pod)) {
    const present = objects.find('Pod', pod.metadata.namespace, pod.metadata.name);
    if (present?.metadata.uid === pod.metadata.uid) clock.after(CLAIM_AGAIN_MS, () => schedule(options, pod));
    return;
  }
  objects.update('Pod', pod, (present) => ({ spec: { ...(present as V1Pod).spec, nodeName: NODE }, status: scheduled('Pending') }));
  clock.after(options.stepMs(), () => {
    if (fate === 'bad image') setStatus(objects, pod, waitingStatus('ErrImagePull', 'no such image'));
    if (fate === 'ready') setStatus(objects, pod, readyStatus);
  });
  const seconds = (pod as V1Pod).spec?.activeDeadlineSeconds;
  if (seconds === undefined) return;
  clock.after(seconds * 1000, () => setStatus(objects, pod, { phase: 'Failed', reason: 'DeadlineExceeded' }));
}

/** A claim is bound when a pod that uses it is scheduled; one that is missing, or on its way out, is waited for. */
function bindClaims(objects: ClusterObjects, pod: V1Pod): boolean {
  const claims = claimsOf(pod).map((name) => objects.find('PersistentVolumeClaim', pod.metadata?.namespace, name));
  if (claims.some((claim) => claim === undefined || claim.metadata.deletionTimestamp !== undefined)) return false;
  for (const claim of claims) {
    if (claim === undefined || (claim['status'] as { phase?: string } | undefined)?.phase === 'Bound') continue;
    const { spec } = claim as { spec?: { resources?: { requests?: object } } };
    objects.update('PersistentVolumeClaim', claim, () => ({ status: { phase: 'Bound', capacity: spec?.resources?.requests ?? {} } }));
  }
  return true;
}

/** What may happen to a pod that runs. */
export const podMishaps = ['deleted by hand', 'evicted', 'node lost', 'crash loop', 'out of memory'] as const;
export type PodMishap = (typeof podMishaps)[number];

/** Does it to the pod. */
export function befallPod(clock: FakeClock, objects: ClusterObjects, pod: ClusterObject, mishap: PodMishap): void {
  const { namespace, name } = pod.metadata;
  if (mishap === 'deleted by hand') objects.delete('Pod', namespace, name);
  if (mishap === 'evicted') setStatus(objects, pod, { phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory' });
  if (mishap === 'node lost') {
    setStatus(objects, pod, { phase: 'Failed', reason: 'NodeLost', message: 'The node does not answer' });
    objects.delete('Pod', namespace, name);
  }
  if (mishap === 'crash loop') loop(clock, objects, pod, 1);
  if (mishap === 'out of memory') setStatus(objects, pod, restartedStatus(pod));
}

const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 300_000;

/** The kubelet tries again and again, at longer and longer intervals: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy */
function loop(clock: FakeClock, objects: ClusterObjects, pod: ClusterObject, restarts: number): void {
  const status = waitingStatus('CrashLoopBackOff', 'back-off restarting failed container', restarts);
  if (objects.update('Pod', pod, () => ({ status })) === undefined) return;
  const backoffMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (restarts - 1));
  clock.after(backoffMs, () => loop(clock, objects, pod, restarts + 1));
}

function setStatus(objects: ClusterObjects, pod: ClusterObject, status: V1PodStatus): void {
  objects.update('Pod', pod, () => ({ status }));
}

function scheduled(phase: string): V1PodStatus {
  return { phase, conditions: [{ type: 'PodScheduled', status: 'True' }] };
}

const readyStatus: V1PodStatus = {
  phase: 'Running',
  podIP: '10.1.2.3',
  conditions: [
    { type: 'PodScheduled', status: 'True' },
    { type: 'Ready', status: 'True' },
  ],
  containerStatuses: [containerStatus(0)],
};

function containerStatus(restartCount: number) {
  return { name: 'session', image: 'image', imageID: '', ready: true, restartCount, state: { running: {} } };
}

function waitingStatus(reason: string, message: string, restarts = 0): V1PodStatus {
  return {
    ...scheduled('Running'),
    containerStatuses: [
      {
        ...containerStatus(restarts),
        ready: false,
        state: { waiting: { reason, message } },
        ...(restarts > 0 ? { lastState: { terminated: { exitCode: 1 } } } : {}),
      },
    ],
  };
}

/** The container was killed and is up again, in the same pod. */
function restartedStatus(pod: V1Pod): V1PodStatus {
  const restarts = (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) + 1;
  const lastState = { terminated: { exitCode: 137, reason: 'OOMKilled' } };
  return { ...readyStatus, containerStatuses: [{ ...containerStatus(restarts), lastState }] };
}

/** Whether the pod is one that nobody could say was lost: there, not on its way out, not ended. */
export function isSound(pod: ClusterObject | undefined): boolean {
  const status = (pod as V1Pod | undefined)?.status;
  if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return false;
  return status?.phase !== 'Failed' && status?.containerStatuses?.[0]?.state?.waiting === undefined;
}
