/**
 * Pods that do not come, or do not last: how the server says so, and what Berth makes of it.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { podState, type PodState } from '../../../shared/pods/status.ts';
import type { PodInput } from '../../../shared/pods/manifest.ts';
import { containing, matching } from './matchers.ts';
import type { Subject } from './suite.ts';

// For a condition that has just come true to have lasted.
const later = (): Date => new Date(Date.now() + 120_000);
const stateOf = (pod: V1Pod): PodState => podState(pod, { now: later() });

export function describePodFailures({ rig, shared, needs }: Subject): void {
  const outcome = async (input: Partial<PodInput>): Promise<PodState> => {
    const { namespace } = shared();
    const pod = await rig().create(namespace, rig().podBody(namespace, input));
    return stateOf(await rig().waitForPod(namespace, pod, (now) => stateOf(now).kind === 'failed'));
  };

  describe.concurrent('a pod that fails', () => {
    test('for want of its image says which', async () => {
      expect(await outcome({ image: 'registry.example.com/none:1' })).toMatchObject({
        reason: matching(/^(ErrImagePull|ImagePullBackOff)$/),
        message: containing('The image "registry.example.com/none:1" could not be pulled'),
      });
    });

    test('for an image name that is none says so', async () => {
      expect(await outcome({ image: 'Not//Valid' })).toMatchObject({
        reason: 'InvalidImageName',
        message: containing('"Not//Valid" is not a valid name of an image'),
      });
    });

    test('for want of a node says what was missing', async () => {
      expect(await outcome({ nodeSelector: { 'berth.dev/none': 'x' } })).toMatchObject({
        reason: 'Unschedulable',
        message: matching(/No node has room for the pod: 0\/\d+ nodes are available/),
      });
    });

    test('for more than any node has says so, too', async () => {
      const resources = { requests: { cpu: '7000', memory: '32Mi' }, limits: { cpu: '7000', memory: '64Mi' } };
      expect(await outcome({ resources })).toMatchObject({ reason: 'Unschedulable', message: containing('Insufficient cpu') });
    });

    test('because its command keeps ending says how', async () => {
      expect(await outcome({ command: ['sh', '-c', 'exit 3'] })).toMatchObject({
        reason: 'CrashLoopBackOff',
        message: containing('exit code 3'),
      });
    });

    test('because its command does not exist says so', async () => {
      expect(await outcome({ command: ['no-such-command'] })).toMatchObject({
        reason: matching(/^(RunContainerError|CrashLoopBackOff|CreateContainerError)$/),
        message: containing('no-such-command'),
      });
    });

    test('because a Secret is not there says which', async () => {
      expect(await outcome({ envNames: ['A'], sessionId: 'nosecret' })).toMatchObject({
        reason: 'CreateContainerConfigError',
        message: containing('secret "berth-nosecret" not found'),
      });
    });

    test('because its time is over says so', async () => {
      expect(await outcome({ activeDeadlineSeconds: 1 })).toMatchObject({
        reason: 'DeadlineExceeded',
        message: containing('The pod has reached its longest life'),
      });
    });

    test('by using more memory than it may says so', async (context) => {
      needs(context, 'memoryLimit');
      const { namespace } = shared();
      const resources = { requests: { cpu: '10m', memory: '32Mi' }, limits: { cpu: '1', memory: '64Mi' } };
      const pod = await rig().create(
        namespace,
        rig().podBody(namespace, { resources, command: ['python3', '-c', 'b = bytearray(512 * 1024 * 1024)'] }),
      );
      const killed = await rig().waitForPod(namespace, pod, ({ status }) => {
        const { state, lastState } = status?.containerStatuses?.[0] ?? {};
        return (state?.terminated ?? lastState?.terminated) !== undefined;
      });
      const { state, lastState } = killed.status?.containerStatuses?.[0] ?? {};
      expect(state?.terminated ?? lastState?.terminated).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    });
  });
}
