import type { CoreV1Event, V1ContainerStatus, V1Pod, V1PodStatus } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { podState } from '../../../shared/pods/status.ts';

const now = new Date('2026-01-01T12:00:00Z');
const scheduled = { type: 'PodScheduled', status: 'True' };

function pod(status: V1PodStatus, deletionTimestamp?: Date): V1Pod {
  return {
    metadata: { uid: 'u1', ...(deletionTimestamp !== undefined && { deletionTimestamp }) },
    spec: { nodeName: 'n1', containers: [{ name: 'session', image: 'registry.example.com/none:1' }] },
    status: { phase: 'Pending', conditions: [scheduled], ...status },
  };
}

function container(part: Partial<V1ContainerStatus>): V1ContainerStatus {
  return { name: 'session', image: '', imageID: '', ready: false, restartCount: 0, ...part };
}

const waiting = (reason: string, message?: string) =>
  pod({ containerStatuses: [container({ state: { waiting: { reason, ...(message !== undefined && { message }) } } })] });

function event(part: Partial<CoreV1Event>): CoreV1Event {
  return { metadata: {}, involvedObject: {}, type: 'Warning', lastTimestamp: now, ...part };
}

describe('a pod that is coming', () => {
  test('waits for a node first', () => {
    expect(podState(pod({ conditions: [] }), { now })).toMatchObject({ kind: 'pending', reason: 'Scheduling' });
  });

  test('waits for its container next', () => {
    expect(podState(waiting('ContainerCreating'), { now })).toMatchObject({ kind: 'pending', reason: 'ContainerCreating' });
  });

  test('is not given up while no node has had room for less than the time allowed', () => {
    const unschedulable = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message: '0/1 nodes are available',
      lastTransitionTime: new Date(now.getTime() - 59_000),
    };
    expect(podState(pod({ conditions: [unschedulable] }), { now })).toMatchObject({ kind: 'pending', reason: 'Unschedulable' });
    expect(podState(pod({ conditions: [unschedulable] }), { now: new Date(now.getTime() + 1_000) })).toEqual({
      kind: 'failed',
      reason: 'Unschedulable',
      message: 'No node has room for the pod: 0/1 nodes are available',
    });
  });

  test('is waited for while an autoscaler adds a node', () => {
    const unschedulable = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', lastTransitionTime: new Date(0) };
    const events = [event({ type: 'Normal', reason: 'TriggeredScaleUp' })];
    expect(podState(pod({ conditions: [unschedulable] }), { now, events })).toMatchObject({ kind: 'pending', reason: 'ScalingUp' });
  });

  test('tells the latest warning, which is the only place where a failing mount shows', () => {
    const events = [
      event({ reason: 'FailedMount', message: 'secret "berth-5x" not found' }),
      event({ type: 'Normal', reason: 'Scheduled', lastTimestamp: new Date(now.getTime() - 1_000) }),
    ];
    expect(podState(waiting('ContainerCreating'), { now, events })).toEqual({
      kind: 'pending',
      reason: 'FailedMount',
      message: 'The pod is not ready yet: secret "berth-5x" not found',
    });
  });

  test('is restarting, and not crashing, after its container was asked to end', () => {
    const status = container({
      restartCount: 9,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 143, reason: 'Error' } },
    });
    expect(podState(pod({ phase: 'Running', containerStatuses: [status] }), { now })).toMatchObject({
      kind: 'pending',
      reason: 'Restarting',
    });
  });

  test('is restarting between the end of its container and the next start', () => {
    const status = container({ state: { terminated: { exitCode: 1 } } });
    expect(podState(pod({ phase: 'Running', containerStatuses: [status] }), { now })).toMatchObject({
      kind: 'pending',
      reason: 'Restarting',
    });
  });
});

test('a ready pod tells where it is', () => {
  const ready = pod({
    phase: 'Running',
    podIP: '10.1.2.3',
    conditions: [scheduled, { type: 'Ready', status: 'True' }],
    containerStatuses: [container({ restartCount: 2 })],
  });
  expect(podState(ready, { now })).toEqual({ kind: 'ready', uid: 'u1', podIp: '10.1.2.3', nodeName: 'n1', restartCount: 2 });
});

describe('a pod that will not come', () => {
  test.each([
    ['ErrImagePull', 'The image "registry.example.com/none:1" could not be pulled: words of the kubelet'],
    ['ImagePullBackOff', 'The image "registry.example.com/none:1" could not be pulled: words of the kubelet'],
    ['InvalidImageName', '"registry.example.com/none:1" is not a valid name of an image: words of the kubelet'],
    ['CreateContainerConfigError', "The container's configuration cannot be used: words of the kubelet"],
    ['CreateContainerError', 'The container could not be created: words of the kubelet'],
    ['RunContainerError', 'The container could not be started: words of the kubelet'],
  ])('%s is said in words', (reason, message) => {
    expect(podState(waiting(reason, 'words of the kubelet'), { now })).toEqual({ kind: 'failed', reason, message });
  });

  test.each([
    [{ exitCode: 1 }, "The container's command keeps ending (last with exit code 1; restarted 3 times)."],
    [
      { exitCode: 128, reason: 'StartError', message: 'exec: "nope": not found' },
      'The container\'s command keeps ending (it could not be started; restarted 3 times): exec: "nope": not found',
    ],
    [{ exitCode: 137, reason: 'OOMKilled' }, 'The container was killed because it used more memory than its limit.'],
    [undefined, "The container's command keeps ending (reason unknown; restarted 3 times)."],
  ])('a crash loop tells how the command ends: %j', (terminated, message) => {
    const status = container({
      restartCount: 3,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: terminated === undefined ? {} : { terminated },
    });
    expect(podState(pod({ containerStatuses: [status] }), { now })).toEqual({ kind: 'failed', reason: 'CrashLoopBackOff', message });
  });

  test.each([
    [
      { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: ephemeral-storage.' },
      'Evicted',
      'The node evicted the pod: The node was low on resource: ephemeral-storage.',
    ],
    [
      { phase: 'Failed', reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' },
      'DeadlineExceeded',
      'The pod has reached its longest life: Pod was active on the node longer than the specified deadline',
    ],
    [
      { phase: 'Failed', containerStatuses: [container({ state: { terminated: { exitCode: 137, reason: 'OOMKilled' } } })] },
      'OOMKilled',
      'The container was killed because it used more memory than its limit.',
    ],
    [{ phase: 'Succeeded' }, 'Succeeded', 'The pod has ended (Succeeded).'],
  ])('a pod that has ended tells why: %j', (status, reason, message) => {
    expect(podState(pod(status), { now })).toEqual({ kind: 'failed', reason, message });
  });

  test('a pod that is being deleted will not come, though it still says Ready', () => {
    const ready = { phase: 'Running', conditions: [scheduled, { type: 'Ready', status: 'True' }] };
    expect(podState(pod(ready, now), { now })).toMatchObject({ kind: 'failed', reason: 'Deleted' });
  });

  test('a very long message is cut', () => {
    const state = podState(waiting('ErrImagePull', 'x'.repeat(10_000)), { now });
    expect(state).toMatchObject({ kind: 'failed' });
    expect('message' in state ? state.message.length : 0).toBe(1_000);
  });
});
