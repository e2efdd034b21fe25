/**
 * A pod's status from those of its containers, as a kubelet computes it. Pure.
 *
 * @module
 */
import type { V1ContainerStatus, V1Pod, V1PodCondition, V1PodStatus } from '@kubernetes/client-node';
import { restarts } from '../back-off.ts';
import { NODE_ADDRESS } from '../kinds.ts';
import type { ContainerRecord } from './container-record.ts';

export interface PodFacts {
  readonly address: string | undefined;
  readonly startTime: Date;
  readonly initContainers: readonly ContainerRecord[];
  readonly containers: readonly ContainerRecord[];
  /** Why the pod was ended as a whole, if it was. */
  readonly failure: { readonly reason: string; readonly message: string } | undefined;
  readonly now: Date;
}

type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

/** The status to write: what others wrote (the scheduler's condition, the QoS class) stays. */
export function podStatus(pod: V1Pod, facts: PodFacts): V1PodStatus {
  const { address, failure } = facts;
  const phase = choosePhase(pod, facts);
  const { reason: _reason, message: _message, ...before } = pod.status ?? {};
  return {
    ...before,
    phase,
    ...(failure !== undefined && phase === 'Failed' && failure),
    conditions: conditions(pod, facts, phase),
    hostIP: NODE_ADDRESS,
    hostIPs: [{ ip: NODE_ADDRESS }],
    ...(address !== undefined && { podIP: address, podIPs: [{ ip: address }] }),
    startTime: facts.startTime,
    ...(facts.initContainers.length > 0 && { initContainerStatuses: facts.initContainers.map(initContainerStatus) }),
    containerStatuses: facts.containers.map(containerStatus),
  };
}

function choosePhase(pod: V1Pod, { initContainers, containers, failure }: PodFacts): Phase {
  const policy = pod.spec?.restartPolicy;
  const initFailed =
    initContainers.some(({ state }) => state.terminated !== undefined && state.terminated.exitCode !== 0) && policy === 'Never';
  const ended = containers.every(({ state }) => state.terminated !== undefined);
  if (failure !== undefined)
    return ended || initFailed || containers.every(({ state }) => state.running === undefined) ? 'Failed' : 'Running';
  if (initFailed) return 'Failed';
  const codes = containers.map(({ state }) => state.terminated?.exitCode ?? 0);
  if (ended && !codes.some((code) => restarts(policy, code))) return codes.every((code) => code === 0) ? 'Succeeded' : 'Failed';
  const hasRun = containers.some(({ state, lastState }) => state.running ?? state.terminated ?? lastState.terminated);
  return hasRun ? 'Running' : 'Pending';
}

function containerStatus(record: ContainerRecord): V1ContainerStatus {
  const { name, state, lastState, ready, restartCount, image, imageId, containerId, started } = record;
  return {
    name,
    state,
    lastState,
    ready,
    restartCount,
    image,
    imageID: imageId,
    ...(containerId !== undefined && { containerID: containerId }),
    started,
  };
}

/** An init container is ready once it has done its work. */
function initContainerStatus(record: ContainerRecord): V1ContainerStatus {
  const { running, terminated } = record.state;
  return { ...containerStatus(record), ready: terminated?.exitCode === 0, started: running !== undefined };
}

/** Those of the kubelet; the others (`PodScheduled`) stay as they are. */
function conditions(pod: V1Pod, facts: PodFacts, phase: Phase): V1PodCondition[] {
  const before = pod.status?.conditions ?? [];
  const over = phase === 'Succeeded' || phase === 'Failed';
  const completed = phase === 'Succeeded' ? { reason: 'PodCompleted' } : { reason: 'PodFailed' };
  const unready = facts.containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const waiting = facts.initContainers.filter(({ state }) => state.terminated?.exitCode !== 0).map(({ name }) => name);
  const notReady = { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const ready = over ? { status: 'False', ...completed } : readiness(unready.length === 0, notReady);
  const notInitialized = { reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${waiting.join(' ')}]` };
  const initialized = { ...readiness(waiting.length === 0, notInitialized), ...(phase === 'Succeeded' && completed) };
  const own = [
    condition('PodReadyToStartContainers', { status: over || facts.address === undefined ? 'False' : 'True' }),
    condition('Initialized', initialized),
    condition('Ready', ready),
    condition('ContainersReady', ready),
  ];
  return [...own, ...before.filter(({ type }) => !own.some((item) => item.type === type))];

  function condition(type: string, content: Omit<V1PodCondition, 'type'>): V1PodCondition {
    const present = before.find((item) => item.type === type);
    const lastTransitionTime = present?.status === content.status && present.lastTransitionTime ? present.lastTransitionTime : facts.now;
    return { type, observedGeneration: pod.metadata?.generation ?? 1, ...content, lastTransitionTime };
  }
}

function readiness(holds: boolean, otherwise: { readonly reason: string; readonly message: string }): Omit<V1PodCondition, 'type'> {
  return holds ? { status: 'True' } : { status: 'False', ...otherwise };
}
