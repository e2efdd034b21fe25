import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { V1ContainerState, V1Pod } from '@kubernetes/client-node';
import { announceMissing, firstContainer, installedRuntimes, isReady, startTestNode } from '../fakes/cluster-node.ts';
import type { TestNode } from '../fakes/cluster-node.ts';

const installed = installedRuntimes();
announceMissing(installed);

function isTold(pod: V1Pod): boolean {
  return isReady(pod) || stateOf(pod).waiting?.reason === 'CreateContainerError';
}

function stateOf(pod: V1Pod): V1ContainerState {
  return firstContainer(pod)?.state ?? {};
}

describe.each(installed)('a container that cannot be made with the runtime %s', (runtime) => {
  let node: TestNode;

  beforeAll(async () => {
    node = await startTestNode(runtime);
  });
  afterAll(async () => {
    await node.end();
  });

  test('waits with the reason where its command has a NUL, and is deleted as any other', async () => {
    const pod = await node.run('nul', { command: ['sh', '-c', 'echo a\0b'] }, {}, isTold);
    const { reason, message } = stateOf(pod).waiting ?? {};
    expect(reason).toBe('CreateContainerError');
    expect(message).toContain('null bytes');
    expect(node.objects.events).toContainEqual({ name: 'nul', type: 'Warning', reason: 'Failed', message: `Error: ${message}` });
    await node.remove('nul');
  });

  test('waits with the reason, or runs, where its memory limit is more than a kernel can count', async () => {
    const pod = await node.run('absurd', { resources: { limits: { memory: '9999999999999999Ti' } } }, {}, isTold);
    // A node without control groups watches the memory itself, and can count so far.
    expect(isReady(pod) ? 'EINVAL' : stateOf(pod).waiting?.message).toContain('EINVAL');
    await node.remove('absurd');
  });
});
