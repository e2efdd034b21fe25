/**
 * Containers that run before the others.
 *
 * @module
 */
import type { V1Container, V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { containing, matching } from './matchers.ts';
import { isReady } from './rig.ts';
import type { Subject } from './suite.ts';

/** A watch tells times as they are on the wire. */
const aTime = matching(/^\d{4}-\d\d-\d\dT/);
const mount = { name: 'shared', mountPath: '/shared' };

export function describeInitContainers({ rig, shared }: Subject): void {
  const withInit = (namespace: string, scripts: readonly string[], spec: Partial<V1Pod['spec'] & object> = {}): V1Pod => {
    const body = rig().podBody(namespace);
    const { containers = [], volumes = [] } = body.spec ?? {};
    const [session] = containers;
    const initContainers = scripts.map((script, index): V1Container => ({
      name: `init-${String(index)}`,
      image: session?.image ?? '',
      imagePullPolicy: 'IfNotPresent',
      command: ['sh', '-c', script],
      volumeMounts: [mount],
      ...(session?.securityContext && { securityContext: session.securityContext }),
      ...(session?.resources && { resources: session.resources }),
    }));
    for (const container of containers) container.volumeMounts = [...(container.volumeMounts ?? []), mount];
    body.spec = { ...body.spec, containers, initContainers, volumes: [...volumes, { name: 'shared', emptyDir: {} }], ...spec };
    return body;
  };
  const logOf = (namespace: string, name: string, container: string) =>
    rig().kubernetes.core.readNamespacedPodLog({ namespace, name, container });

  describe.concurrent('init containers', () => {
    test('run one after the other, each to its end, before the others; their output is kept', async () => {
      const { namespace } = shared();
      const wait = 'echo first; while [ ! -e /shared/go ]; do sleep 0.1; done; echo 1 >> /shared/order';
      const pod = await rig().create(namespace, withInit(namespace, [wait, 'echo second; echo 2 >> /shared/order']));
      const begun = await rig().waitForPod(
        namespace,
        pod,
        ({ status }) => status?.initContainerStatuses?.[0]?.state?.running !== undefined,
      );
      expect(begun.status).toMatchObject({
        phase: 'Pending',
        initContainerStatuses: [
          { name: 'init-0', ready: false, started: true, restartCount: 0 },
          { name: 'init-1', ready: false, started: false, state: { waiting: { reason: 'PodInitializing' } } },
        ],
        containerStatuses: [{ ready: false, started: false, state: { waiting: { reason: 'PodInitializing' } } }],
      });
      expect(begun.status?.conditions?.find(({ type }) => type === 'Initialized')).toMatchObject({
        status: 'False',
        reason: 'ContainersNotInitialized',
        message: 'containers with incomplete status: [init-0 init-1]',
      });
      expect(await rig().refusalStatus(logOf(namespace, pod, 'session'))).toMatchObject({
        code: 400,
        message: containing('container "session" in pod'),
      });
      await rig().run(namespace, pod, ['touch', '/shared/go'], { container: 'init-0' });

      const ready = await rig().waitForPod(namespace, pod, isReady);
      expect(ready.status?.initContainerStatuses).toMatchObject(
        ['init-0', 'init-1'].map((name) => ({
          name,
          ready: true,
          started: false,
          restartCount: 0,
          lastState: {},
          state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: aTime, finishedAt: aTime } },
        })),
      );
      expect(ready.status?.conditions?.find(({ type }) => type === 'Initialized')?.status).toBe('True');
      expect((await rig().sh(namespace, pod, 'cat /shared/order')).stdout).toBe('1\n2\n');
      expect([await logOf(namespace, pod, 'init-0'), await logOf(namespace, pod, 'init-1')]).toEqual(['first\n', 'second\n']);
    });

    test('that fail start again, and the pod goes on once they succeed', async () => {
      const { namespace } = shared();
      const pod = await rig().create(namespace, withInit(namespace, ['[ -e /shared/again ] && exit 0; touch /shared/again; exit 3']));
      const { status } = await rig().waitForPod(namespace, pod, isReady);
      expect(status?.initContainerStatuses?.[0]).toMatchObject({
        ready: true,
        restartCount: 1,
        state: { terminated: { exitCode: 0, reason: 'Completed' } },
      });
    });

    test('that keep failing are waited for longer and longer', async () => {
      const { namespace } = shared();
      const pod = await rig().create(namespace, withInit(namespace, ['exit 3']));
      const { status } = await rig().waitForPod(
        namespace,
        pod,
        (now) => now.status?.initContainerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
      );
      expect(status?.initContainerStatuses?.[0]?.state?.waiting?.message).toContain('back-off 10s restarting failed container=init-0');
      expect(status?.phase).toBe('Pending');
    });

    test('that fail end a pod that is never restarted', async () => {
      const { namespace } = shared();
      const body = withInit(namespace, ['exit 3', 'true'], { restartPolicy: 'Never' });
      const pod = await rig().create(namespace, body);
      const { status } = await rig().waitForPod(namespace, pod, (now) => now.status?.phase === 'Failed');
      expect(status?.initContainerStatuses).toMatchObject([
        { ready: false, state: { terminated: { exitCode: 3, reason: 'Error' } } },
        { ready: false, state: { waiting: { reason: 'PodInitializing' } } },
      ]);
      expect(status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe('PodInitializing');
    });

    test('have to be as restricted as the others', async () => {
      const { namespace } = shared();
      const body = withInit(namespace, ['true']);
      for (const container of body.spec?.initContainers ?? []) delete container.securityContext;
      const status = await rig().refusalStatus(rig().kubernetes.core.createNamespacedPod({ namespace, body }));
      expect(status).toMatchObject({ code: 403, message: containing('violates PodSecurity "restricted:latest"') });
      expect(status?.message).toContain('container "init-0" must set securityContext.allowPrivilegeEscalation=false');
    });
  });
}
