/**
 * What is known of one container of a pod; `pod-status.ts` makes the pod's status of all of them.
 *
 * @module
 */
import type { V1Container, V1ContainerState, V1ContainerStateTerminated, V1ContainerStatus } from '@kubernetes/client-node';

export interface ContainerRecord {
  readonly name: string;
  /** As the manifest has it. */
  readonly reference: string;
  state: V1ContainerState;
  lastState: V1ContainerState;
  restartCount: number;
  /** Its startup probe, if any, has passed. */
  started: boolean;
  /** It takes work: it runs, has started, and its readiness probe, if any, passes. */
  ready: boolean;
  image: string;
  imageId: string;
  containerId: string | undefined;
}

/**
 * The record of a container that has not run yet, or that ran before the cluster was started again. `waitsFor`: what it is waiting for, in
 * the words of a kubelet.
 */
export function createRecord(
  { name, image: reference = '' }: V1Container,
  before: V1ContainerStatus | undefined,
  waitsFor: 'ContainerCreating' | 'PodInitializing',
  now: Date,
): ContainerRecord {
  const ended = before === undefined ? undefined : endedMeanwhile(before, now);
  return {
    name,
    reference,
    state: { waiting: { reason: waitsFor } },
    lastState: ended === undefined ? { ...before?.lastState } : { terminated: ended },
    restartCount: before?.restartCount ?? 0,
    started: false,
    ready: false,
    image: before?.image ?? reference,
    imageId: before?.imageID ?? '',
    containerId: before?.containerID,
  };
}

/** How its last run ended. A node that went down without a word leaves what a kubelet calls `Unknown`, with exit code 255. */
export function endedMeanwhile({ state, containerID }: V1ContainerStatus, now: Date): V1ContainerStateTerminated | undefined {
  if (state?.terminated !== undefined) return state.terminated;
  if (state?.running === undefined) return undefined;
  const { startedAt } = state.running;
  return {
    exitCode: 255,
    reason: 'Unknown',
    finishedAt: now,
    ...(startedAt && { startedAt }),
    ...(containerID !== undefined && { containerID }),
  };
}
