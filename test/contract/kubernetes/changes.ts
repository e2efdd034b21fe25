/**
 * Looking now and then: what has changed since the last look, and everything, as metadata alone.
 *
 * @module
 */
import type { V1Secret } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import type { MetadataPage, ObjectMetadata } from '../../../shared/kubernetes/port.ts';
import type { Subject } from './suite.ts';

export function describeChanges({ rig, cluster }: Subject): void {
  const pathOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/secrets`;
  const create = (namespace: string, name: string, labels: Record<string, string> = {}) =>
    rig().kubernetes.core.createNamespacedSecret({
      namespace,
      body: { metadata: { name, labels }, stringData: { secret: 'do not tell' } },
    });

  describe.concurrent('changes since a version', () => {
    test('are told once, end by themselves, and go on from the last version that was told', { timeout: 20_000 }, async () => {
      const { kubernetes } = rig();
      const namespace = await rig().bareNamespace();
      const path = pathOf(namespace);
      const { resourceVersion } = await kubernetes.listMetadata({ path, limit: 1 });
      await create(namespace, 'a');
      await create(namespace, 'b');
      await kubernetes.core.deleteNamespacedSecret({ namespace, name: 'a' });
      const look = async (since: string): Promise<{ said: string[]; version: string }> => {
        const said: string[] = [];
        let version = since;
        for await (const event of kubernetes.changesSince<V1Secret>({ path, resourceVersion: since, seconds: 3 })) {
          version = event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata?.resourceVersion ?? '');
          if (event.type !== 'BOOKMARK') said.push(`${event.type} ${event.object.metadata?.name ?? ''}`);
        }
        return { said, version };
      };
      const first = await look(resourceVersion);
      expect(first.said).toEqual(['ADDED a', 'ADDED b', 'DELETED a']);
      await create(namespace, 'c');
      expect((await look(first.version)).said).toEqual(['ADDED c']);
    });
  });

  describe('changes since a version that the server has forgotten', () => {
    test('are refused as gone', async () => {
      const { path, resourceVersion } = await cluster().forgotten(rig());
      const events = rig().kubernetes.changesSince<V1Secret>({ path, resourceVersion, seconds: 3 });
      const read = async (): Promise<void> => {
        for await (const _event of events);
      };
      await expect(read()).rejects.toMatchObject({ status: { code: 410 } });
    });
  });

  describe.concurrent('lists of metadata', () => {
    test('hold what finds an object and nothing of what is in it, a page at a time', async () => {
      const { kubernetes } = rig();
      const namespace = await rig().bareNamespace();
      for (const name of ['a', 'b', 'c']) await create(namespace, name, { team: 'x', name });
      await create(namespace, 'd', { team: 'y' });
      const found: ObjectMetadata[] = [];
      const versions = new Set<string>();
      let next: string | undefined;
      do {
        const page: MetadataPage = await kubernetes.listMetadata({
          path: pathOf(namespace),
          labelSelector: 'team=x,name in (a,b,c)',
          limit: 2,
          ...(next === undefined ? {} : { continue: next }),
        });
        expect(page.items.length).toBeLessThanOrEqual(2);
        found.push(...page.items);
        versions.add(page.resourceVersion);
        next = page.continue;
      } while (next !== undefined);
      expect(found.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
      expect(versions.size).toBe(1);
      expect(found[0]).toEqual({
        name: 'a',
        namespace,
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
        labels: { team: 'x', name: 'a' },
        annotations: {},
        createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) as string,
        deletedAt: null,
        isOwned: false,
      });
    });

    test('of all namespaces tell of what is on its way out', async () => {
      const { kubernetes } = rig();
      const namespace = await rig().bareNamespace();
      const metadata = { name: 'held', labels: { held: namespace }, finalizers: ['example.com/held'] };
      await kubernetes.core.createNamespacedConfigMap({ namespace, body: { metadata } });
      await kubernetes.core.deleteNamespacedConfigMap({ namespace, name: 'held' });
      const { items } = await kubernetes.listMetadata({ path: '/api/v1/configmaps', labelSelector: `held=${namespace}`, limit: 10 });
      await kubernetes.core.replaceNamespacedConfigMap({ namespace, name: 'held', body: { metadata: { name: 'held' } } });
      expect(items).toMatchObject([{ name: 'held', namespace, deletedAt: expect.any(String) as string }]);
    });
  });
}
