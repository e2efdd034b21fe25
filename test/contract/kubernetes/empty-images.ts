/**
 * A session in an image that holds nothing, not even a shell: the helper comes by an init container.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { podState } from '../../../shared/pods/status.ts';
import { containing } from './matchers.ts';
import { isReady } from './rig.ts';
import type { Subject } from './suite.ts';

export const EMPTY_IMAGE = 'berth.local/empty:contract';
export const HELPER_IMAGE = 'berth.local/helper:contract';
const HELPER = '/berth/bin/helper';

export function describeEmptyImages({ rig, cluster, shared, needs }: Subject): void {
  describe('an image without a shell', () => {
    let pod = '';
    const body = (): V1Pod => rig().podBody(shared().namespace, { image: EMPTY_IMAGE, helper: { image: HELPER_IMAGE, hasSecret: false } });
    const run = (...command: string[]) => rig().run(shared().namespace, pod, command);

    beforeAll(async () => {
      if (!cluster().capabilities.emptyImages) return;
      pod = await rig().create(shared().namespace, body());
      await rig().waitForPod(shared().namespace, pod, isReady);
    });
    afterAll(async () => {
      if (pod !== '') await rig().kubernetes.core.deleteNamespacedPod({ namespace: shared().namespace, name: pod });
    });

    test('runs the helper that an init container brought', async (context) => {
      needs(context, 'emptyImages');
      const { stdout, stderr, exit } = await run(HELPER, 'version');
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
      expect([stderr, exit]).toEqual(['', { type: 'exited', exitCode: 0 }]);
    });

    test('gives a program its exit code, its input and a terminal', async (context) => {
      needs(context, 'emptyImages');
      expect(await run(HELPER)).toMatchObject({ stderr: containing('usage'), exit: { type: 'exited', exitCode: 2 } });
      const signal = AbortSignal.timeout(20_000);
      const terminal = await rig().kubernetes.exec({
        ...{ namespace: shared().namespace, pod, container: 'session', command: [HELPER, 'version'], signal },
        tty: true,
        stdin: true,
      });
      let said = '';
      for await (const chunk of terminal.stdout as AsyncIterable<Buffer>) said += chunk.toString();
      expect(said).toMatch(/^\d+\.\d+\.\d+\r\n$/);
      expect(await terminal.exit).toEqual({ type: 'exited', exitCode: 0 });
    });

    test.for([
      ['sh', 'exec: "sh": executable file not found in $PATH'],
      ['/bin/sh', 'exec: "/bin/sh": stat /bin/sh: no such file or directory'],
      ['/berth', 'exec: "/berth": permission denied'],
    ])('has no %s, and says so', async ([command = '', words = ''], context) => {
      needs(context, 'emptyImages');
      expect((await run(command)).exit).toMatchObject({ type: 'failed', message: containing(words) });
    });

    test('does not run a command that is not in it', async (context) => {
      needs(context, 'emptyImages');
      const { namespace } = shared();
      const wrong = body();
      for (const container of wrong.spec?.containers ?? []) container.command = ['sh'];
      const name = await rig().create(namespace, wrong);
      const failed = await rig().waitForPod(
        namespace,
        name,
        (now) => podState(now, { now: new Date(Date.now() + 120_000) }).kind === 'failed',
      );
      expect(podState(failed, { now: new Date(Date.now() + 120_000) })).toMatchObject({ message: containing('"sh"') });
    });

    test('without any command at all is not started', async (context) => {
      needs(context, 'emptyImages');
      const { namespace } = shared();
      const idle = body();
      delete idle.spec?.initContainers;
      for (const container of idle.spec?.containers ?? []) delete container.command;
      const name = await rig().create(namespace, idle);
      const { status } = await rig().waitForPod(
        namespace,
        name,
        (now) => now.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerError',
      );
      expect(status?.containerStatuses?.[0]?.state?.waiting?.message).toContain('no command specified');
    });
  });
}
