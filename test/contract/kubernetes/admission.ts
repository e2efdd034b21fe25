/**
 * Admission: what a tenant's namespace refuses, and in which words.
 *
 * @module
 */
import { describe, expect, test } from 'vitest';
import { containing, matching } from './matchers.ts';
import { eventually, isNotReadyYet } from './rig.ts';
import type { Subject } from './suite.ts';

export function describeAdmission({ rig, shared }: Subject): void {
  // A quota that has just been made is not yet known to admission: for some milliseconds pods pass beyond it, and uncounted.
  const quotaIsKnown = (namespace: string) =>
    eventually(
      async () =>
        (await rig().kubernetes.core.readNamespacedResourceQuota({ namespace, name: 'berth' })).status?.hard?.['pods'] !== undefined,
    );

  describe('admission', () => {
    test("admits the pod that Berth builds, without a warning's worth of change", async () => {
      const body = rig().podBody(shared().namespace, { workspaceId: 'w' });
      const admitted = await rig().kubernetes.core.createNamespacedPod({ namespace: shared().namespace, body, dryRun: 'All' });
      const [wanted] = body.spec?.containers ?? [];
      expect(admitted.spec?.containers).toHaveLength(1);
      expect(admitted.spec?.containers[0]).toMatchObject({ ...wanted });
      expect(admitted.spec?.securityContext).toEqual(body.spec?.securityContext);
      expect(admitted.spec?.volumes).toEqual(body.spec?.volumes);
      expect(admitted.spec?.tolerations).toEqual(body.spec?.tolerations);
      expect(admitted.metadata).toMatchObject({ labels: body.metadata?.labels, annotations: body.metadata?.annotations });
    });

    test.each([
      ['privileged', { privileged: true, allowPrivilegeEscalation: true }, 'privileged'],
      ['with more capabilities', { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } }, 'unrestricted capabilities'],
      ['that may become root', { runAsUser: 0, runAsNonRoot: false }, 'runAsNonRoot'],
    ])('refuses a pod %s', async (_what, securityContext, words) => {
      const body = rig().podBody(shared().namespace);
      for (const container of body.spec?.containers ?? []) container.securityContext = { ...container.securityContext, ...securityContext };
      const status = await rig().refusalStatus(rig().kubernetes.core.createNamespacedPod({ namespace: shared().namespace, body }));
      expect(status).toMatchObject({ code: 403, reason: 'Forbidden', message: containing('violates PodSecurity "restricted:latest"') });
      expect(status?.message).toContain(words);
    });

    test('refuses a pod beyond the quota, and says which', async () => {
      const namespace = await rig().tenant(undefined, { sessions: 1, jobs: 0, cpu: 1 });
      const create = (cpu: string) =>
        rig().create(
          namespace,
          rig().podBody(namespace, {
            nodeSelector: { none: 'none' },
            resources: { requests: { cpu, memory: '32Mi' }, limits: { cpu: '4', memory: '64Mi' } },
          }),
        );
      await quotaIsKnown(namespace);
      expect((await rig().refusalStatus(create('3')))?.message).toMatch(
        /exceeded quota: berth, requested: requests\.cpu=3, used: requests\.cpu=0, limited: requests\.cpu=2/,
      );
      await create('100m');
      await create('100m');
      const status = await rig().refusalStatus(create('100m'));
      expect(status).toMatchObject({
        code: 403,
        reason: 'Forbidden',
        message: matching(/exceeded quota: berth, requested: pods=1, used: pods=2, limited: pods=2/),
      });
    });

    test('counts what a quota limits', async () => {
      const namespace = await rig().tenant();
      await quotaIsKnown(namespace);
      await rig().create(namespace, rig().podBody(namespace, { nodeSelector: { none: 'none' } }));
      await eventually(
        async () => (await rig().kubernetes.core.readNamespacedResourceQuota({ namespace, name: 'berth' })).status?.used?.['pods'] === '1',
      );
    });

    test('refuses a pod whose service account is not there, in the words that Berth waits on', async () => {
      const namespace = await rig().bareNamespace();
      const error = await rig().refusal(rig().kubernetes.core.createNamespacedPod({ namespace, body: rig().podBody(namespace) }));
      expect(isNotReadyYet(error)).toBe(true);
    });

    test('gives a container that states nothing the defaults of the namespace', async () => {
      const { namespace } = shared();
      const body = rig().podBody(namespace);
      for (const container of body.spec?.containers ?? []) delete container.resources;
      const pod = await rig().kubernetes.core.createNamespacedPod({ namespace, body, dryRun: 'All' });
      expect(pod.spec?.containers[0]?.resources).toEqual({
        requests: { cpu: '250m', memory: '512Mi', 'ephemeral-storage': '256Mi' },
        limits: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '2Gi' },
      });
    });

    test('refuses a pod that is no pod', async () => {
      const body = rig().podBody(shared().namespace);
      for (const container of body.spec?.containers ?? []) container.image = '';
      const status = await rig().refusalStatus(rig().kubernetes.core.createNamespacedPod({ namespace: shared().namespace, body }));
      expect(status).toMatchObject({ code: 422, reason: 'Invalid', message: containing('spec.containers[0].image: Required value') });
    });
  });
}
