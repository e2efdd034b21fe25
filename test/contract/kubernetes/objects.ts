/**
 * Objects: what is written can be read, found, changed only knowingly, and deleted.
 *
 * @module
 */
import type { V1NetworkPolicy } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { callOptions } from '../../../shared/kubernetes/call-options.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../shared/kubernetes/errors.ts';
import { containing } from './matchers.ts';
import { eventually } from './rig.ts';
import type { Subject } from './suite.ts';

export function describeObjects({ rig, shared }: Subject): void {
  describe.concurrent('objects', () => {
    test('the server tells its version', async () => {
      expect((await rig().kubernetes.version.getCode()).gitVersion).toMatch(/^v1\.\d+/);
    });

    test("everything that stands in a tenant's namespace reads back as it was written", async () => {
      const { core, networking } = rig().kubernetes;
      const network = { deniedCidrs: ['203.0.113.7/32'], controlPlaneCidr: '10.8.0.0/28' };
      const namespace = await rig().tenant(network);
      const objects = rig().namespaceObjects(namespace, network);
      const read = async (name: string | undefined) => ({ namespace, name: name ?? '' });
      expect(await core.readNamespace({ name: namespace })).toMatchObject({
        metadata: { labels: objects.namespace.metadata?.labels },
        status: { phase: 'Active' },
      });
      expect(await core.readNamespacedServiceAccount(await read('berth-session'))).toMatchObject({ automountServiceAccountToken: false });
      expect((await core.readNamespacedResourceQuota(await read('berth'))).spec).toEqual(objects.resourceQuota.spec);
      expect((await core.readNamespacedLimitRange(await read('berth'))).spec).toEqual(objects.limitRange.spec);
      const policies = await networking.listNamespacedNetworkPolicy({ namespace });
      const byName = (items: readonly V1NetworkPolicy[]) =>
        items.toSorted((a, b) => (a.metadata?.name ?? '').localeCompare(b.metadata?.name ?? ''));
      expect(byName(policies.items).map(({ spec }) => spec)).toMatchObject(byName(objects.networkPolicies).map(({ spec }) => spec));
    });

    test('a new namespace gets its default service account by itself', async () => {
      const namespace = await rig().bareNamespace();
      await eventually(
        async () => !isNotFound(await rig().refusal(rig().kubernetes.core.readNamespacedServiceAccount({ namespace, name: 'default' }))),
      );
    });

    test('each of them can be replaced without naming a version', async () => {
      const { core, networking } = rig().kubernetes;
      const network = { deniedCidrs: [] };
      const namespace = await rig().tenant(network);
      const objects = rig().namespaceObjects(namespace, { deniedCidrs: ['203.0.113.7/32'] }, { sessions: 1, jobs: 0 });
      await core.replaceNamespacedServiceAccount({ namespace, name: 'berth-session', body: objects.serviceAccount });
      await core.replaceNamespacedLimitRange({ namespace, name: 'berth', body: objects.limitRange });
      // The quota's controller writes to it, too.
      await eventually(
        async () =>
          (await rig().refusal(core.replaceNamespacedResourceQuota({ namespace, name: 'berth', body: objects.resourceQuota }))) ===
          undefined,
        5_000,
      );
      for (const body of objects.networkPolicies)
        await networking.replaceNamespacedNetworkPolicy({ namespace, name: body.metadata?.name ?? '', body });
      expect((await core.readNamespacedResourceQuota({ namespace, name: 'berth' })).spec?.hard).toMatchObject({ pods: '2' });
    });

    test('a Secret takes text and gives base64, and refuses a second of its name', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const body = { metadata: { name: 'text' }, type: 'Opaque', stringData: { KEY: 'wért\n' } };
      await core.createNamespacedSecret({ namespace, body });
      expect((await core.readNamespacedSecret({ namespace, name: 'text' })).data).toEqual({
        KEY: Buffer.from('wért\n').toString('base64'),
      });
      expect(isAlreadyExists(await rig().refusal(core.createNamespacedSecret({ namespace, body })))).toBe(true);
    });

    test('a dry run refuses what the real one would, and writes nothing', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const body = { metadata: { name: 'dry' }, stringData: { A: 'b' } };
      await core.createNamespacedSecret({ namespace, body, dryRun: 'All' });
      expect(isNotFound(await rig().refusal(core.readNamespacedSecret({ namespace, name: 'dry' })))).toBe(true);
      await core.createNamespacedSecret({ namespace, body });
      expect(isAlreadyExists(await rig().refusal(core.createNamespacedSecret({ namespace, body, dryRun: 'All' })))).toBe(true);
    });

    test('a name that Kubernetes does not allow is refused as invalid, with the field', async () => {
      const { core } = rig().kubernetes;
      const status = await rig().refusalStatus(
        core.createNamespacedSecret({ namespace: shared().namespace, body: { metadata: { name: 'Not Valid' } } }),
      );
      expect(status).toMatchObject({ code: 422, reason: 'Invalid', message: containing('metadata.name') });
    });

    test('what does not exist is not found, and neither is anything in a namespace that does not exist', async () => {
      const { core } = rig().kubernetes;
      expect(await rig().refusalStatus(core.readNamespacedPod({ namespace: shared().namespace, name: 'none' }))).toMatchObject({
        code: 404,
        reason: 'NotFound',
        message: 'pods "none" not found',
      });
      expect(await rig().refusalStatus(core.deleteNamespacedSecret({ namespace: shared().namespace, name: 'none' }))).toMatchObject({
        code: 404,
      });
      expect(
        await rig().refusalStatus(core.createNamespacedSecret({ namespace: 'berth-none', body: { metadata: { name: 'x' } } })),
      ).toMatchObject({ code: 404, message: 'namespaces "berth-none" not found' });
      expect((await core.listNamespacedPod({ namespace: 'berth-none' })).items).toEqual([]);
    });

    test('a write over a version that has changed meanwhile is a conflict', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const first = await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'versioned' } } });
      const second = await core.replaceNamespacedSecret({ namespace, name: 'versioned', body: { ...first, stringData: { A: '1' } } });
      expect(second.metadata?.resourceVersion).not.toBe(first.metadata?.resourceVersion);
      expect(
        isConflict(
          await rig().refusal(core.replaceNamespacedSecret({ namespace, name: 'versioned', body: { ...first, stringData: { A: '2' } } })),
        ),
      ).toBe(true);
    });

    test('patches of each type change what they name and nothing else', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const name = 'patched';
      await core.createNamespacedSecret({ namespace, body: { metadata: { name, labels: { keep: 'x', drop: 'x' } } } });
      await core.patchNamespacedSecret(
        { namespace, name, body: { metadata: { labels: { drop: null, merged: 'x' } } } },
        callOptions({ patch: 'merge' }),
      );
      await core.patchNamespacedSecret(
        { namespace, name, body: { metadata: { labels: { strategic: 'x' } } } },
        callOptions({ patch: 'strategic' }),
      );
      await core.patchNamespacedSecret(
        { namespace, name, body: [{ op: 'add', path: '/metadata/labels/json', value: 'x' }] },
        callOptions({ patch: 'json' }),
      );
      expect((await core.readNamespacedSecret({ namespace, name })).metadata?.labels).toEqual({
        keep: 'x',
        merged: 'x',
        strategic: 'x',
        json: 'x',
      });
    });

    test('lists are found by label and field, across namespaces, and come in pages', async () => {
      const { core } = rig().kubernetes;
      const namespace = await rig().bareNamespace({ labels: { 'berth.dev/installation': rig().installation } });
      const labels = (index: number) => ({ 'berth.dev/installation': rig().installation, parity: index % 2 === 0 ? 'even' : 'odd' });
      for (let index = 0; index < 5; index += 1)
        await core.createNamespacedSecret({ namespace, body: { metadata: { name: `s${String(index)}`, labels: labels(index) } } });
      const names = (list: { items: { metadata?: { name?: string } }[] }) =>
        list.items.map(({ metadata }) => metadata?.name ?? '').toSorted((a, b) => a.localeCompare(b));
      const find = async (labelSelector: string) => names(await core.listNamespacedSecret({ namespace, labelSelector }));
      expect(await find('parity=even')).toEqual(['s0', 's2', 's4']);
      expect(await find('parity!=even,berth.dev/installation')).toEqual(['s1', 's3']);
      expect(await find('parity in (odd,none)')).toEqual(['s1', 's3']);
      expect(await find('!parity,berth.dev/installation')).toEqual([]);
      expect(names(await core.listNamespacedSecret({ namespace, fieldSelector: 'metadata.name=s3' }))).toEqual(['s3']);
      expect(names(await core.listNamespace({ labelSelector: `berth.dev/installation=${rig().installation}` }))).toContain(namespace);

      const pages: string[][] = [];
      let _continue: string | undefined;
      do {
        const page = await core.listNamespacedSecret({
          namespace,
          labelSelector: 'parity',
          limit: 2,
          ...(_continue !== undefined && { _continue }),
        });
        pages.push(names(page));
        _continue = page.metadata?._continue || undefined;
      } while (_continue !== undefined);
      expect(pages.map(({ length }) => length)).toEqual([2, 2, 1]);
      expect(pages.flat()).toEqual(['s0', 's1', 's2', 's3', 's4']);
    });

    test('a delete for a certain uid spares another object of that name', async () => {
      const { core } = rig().kubernetes;
      const { namespace } = shared();
      const secret = await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'precondition' } } });
      const remove = (uid: string) => core.deleteNamespacedSecret({ namespace, name: 'precondition', body: { preconditions: { uid } } });
      expect(isConflict(await rig().refusal(remove('00000000-0000-0000-0000-000000000000')))).toBe(true);
      await remove(secret.metadata?.uid ?? '');
      expect(isNotFound(await rig().refusal(core.readNamespacedSecret({ namespace, name: 'precondition' })))).toBe(true);
    });

    test('a namespace that is going admits nothing new, and goes when the last finalizer does, with all that is in it', async () => {
      const { core } = rig().kubernetes;
      const namespace = await rig().bareNamespace();
      await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'held', finalizers: ['berth.dev/contract'] } } });
      await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'free' } } });
      await core.deleteNamespace({ name: namespace });
      const refusal = await rig().refusalStatus(core.createNamespacedSecret({ namespace, body: { metadata: { name: 'late' } } }));
      expect(refusal).toMatchObject({ code: 403, reason: 'Forbidden', message: containing(`because it is being terminated`) });
      expect((await core.readNamespace({ name: namespace })).status?.phase).toBe('Terminating');
      await eventually(async () => isNotFound(await rig().refusal(core.readNamespacedSecret({ namespace, name: 'free' }))));
      await core.patchNamespacedSecret(
        { namespace, name: 'held', body: { metadata: { finalizers: null } } },
        callOptions({ patch: 'merge' }),
      );
      await eventually(async () => isNotFound(await rig().refusal(core.readNamespace({ name: namespace }))));
    });
  });
}
