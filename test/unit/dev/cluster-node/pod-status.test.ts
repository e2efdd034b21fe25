import type { V1ContainerState, V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { createRecord } from '../../../../dev/cluster/node/pods/container-record.ts';
import type { ContainerRecord } from '../../../../dev/cluster/node/pods/container-record.ts';
import { podStatus } from '../../../../dev/cluster/node/pods/pod-status.ts';

const now = new Date('2026-01-02T03:04:05Z');
const earlier = new Date('2026-01-01T00:00:00Z');
const container = { name: 'main', image: 'python' };

function record(state: V1ContainerState, part: Partial<ContainerRecord> = {}): ContainerRecord {
  return { ...createRecord(container, undefined, 'ContainerCreating', now), state, ...part };
}

function phase(restartPolicy: string, ...containers: ContainerRecord[]): string | undefined {
  const pod: V1Pod = { spec: { restartPolicy, containers: [] } };
  return podStatus(pod, { address: '127.64.0.1', startTime: now, initContainers: [], containers, failure: undefined, now }).phase;
}

const running = record({ running: { startedAt: now } }, { ready: true });
const done = record({ terminated: { exitCode: 0 } });
const failed = record({ terminated: { exitCode: 3 } });
const waiting = record({ waiting: { reason: 'ContainerCreating' } });

test.each([
  ['Always', [waiting], 'Pending'],
  ['Always', [running], 'Running'],
  ['Always', [running, waiting], 'Running'],
  ['Always', [done], 'Running'],
  ['Always', [record({ waiting: { reason: 'CrashLoopBackOff' } }, { lastState: { terminated: { exitCode: 1 } } })], 'Running'],
  ['OnFailure', [done, done], 'Succeeded'],
  ['OnFailure', [done, failed], 'Running'],
  ['Never', [done, failed], 'Failed'],
  ['Never', [done, running], 'Running'],
])('a pod that restarts %s is, with %j, %s', (policy, containers, expected) => {
  expect(phase(policy, ...containers)).toBe(expected);
});

describe('the conditions', () => {
  test('keep the time of their last change, and those of others', () => {
    const conditions = [
      { type: 'PodScheduled', status: 'True', lastTransitionTime: earlier },
      { type: 'Ready', status: 'True', lastTransitionTime: earlier },
      { type: 'ContainersReady', status: 'False', lastTransitionTime: earlier },
    ];
    const status = podStatus(
      { spec: { containers: [] }, status: { conditions, qosClass: 'Burstable' } },
      { address: '127.64.0.1', startTime: now, initContainers: [], containers: [running], failure: undefined, now },
    );
    const found = Object.fromEntries((status.conditions ?? []).map((item) => [item.type, [item.status, item.lastTransitionTime]]));
    expect(found).toEqual({
      PodReadyToStartContainers: ['True', now],
      Initialized: ['True', now],
      Ready: ['True', earlier],
      ContainersReady: ['True', now],
      PodScheduled: ['True', earlier],
    });
    expect(status.qosClass).toBe('Burstable');
  });

  test('name the containers that are not ready', () => {
    const facts = {
      address: '127.64.0.1',
      startTime: now,
      initContainers: [],
      containers: [running, record({ waiting: {} }, { name: 'side' })],
      failure: undefined,
      now,
    };
    const ready = podStatus({ spec: { containers: [] } }, facts).conditions?.find(({ type }) => type === 'Ready');
    expect(ready).toMatchObject({ status: 'False', reason: 'ContainersNotReady', message: 'containers with unready status: [side]' });
  });
});

describe('a container that ran when the node went down', () => {
  const status = { name: 'main', image: 'i', imageID: 'sha256:1', ready: true, restartCount: 2, containerID: 'berth://1' };

  test('ended in a way nobody knows', () => {
    const { lastState, restartCount, ready } = createRecord(
      container,
      { ...status, state: { running: { startedAt: earlier } } },
      'ContainerCreating',
      now,
    );
    expect({ lastState, restartCount, ready }).toEqual({
      lastState: { terminated: { exitCode: 255, reason: 'Unknown', startedAt: earlier, finishedAt: now, containerID: 'berth://1' } },
      restartCount: 2,
      ready: false,
    });
  });

  test('ended as it was told, if it was', () => {
    const terminated = { exitCode: 143, reason: 'Error' };
    expect(createRecord(container, { ...status, state: { terminated } }, 'ContainerCreating', now).lastState).toEqual({ terminated });
  });
});
