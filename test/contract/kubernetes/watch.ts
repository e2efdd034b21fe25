/**
 * Watching: what changes is told, in order, from any version that the server still knows.
 *
 * @module
 */
import type { V1Secret } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { openAccess } from '../../../shared/kubernetes/access.ts';
import { callOptions } from '../../../shared/kubernetes/call-options.ts';
import type { WatchEvent, WatchOptions } from '../../../shared/kubernetes/port.ts';
import { createTransport } from '../../../shared/kubernetes/transport.ts';
import { watchCollection } from '../../../shared/kubernetes/watch.ts';
import type { Subject } from './suite.ts';

type Condition = (event: WatchEvent<V1Secret>) => boolean;

async function until(
  events: AsyncIterable<WatchEvent<V1Secret>>,
  condition: Condition,
  also?: (event: WatchEvent<V1Secret>) => Promise<unknown>,
): Promise<string[]> {
  const said: string[] = [];
  for await (const event of events) {
    said.push(event.type === 'BOOKMARK' || event.type === 'RESTARTED' ? event.type : `${event.type} ${event.object.metadata?.name ?? ''}`);
    if (condition(event)) return said;
    await also?.(event);
  }
  throw new Error(`The watch ended after ${said.join(', ')}`);
}

export function describeWatch({ rig, cluster }: Subject): void {
  describe.concurrent('a watch', () => {
    const watch = (namespace: string, options: Partial<WatchOptions> = {}) =>
      rig().kubernetes.watch<V1Secret>({
        path: `/api/v1/namespaces/${namespace}/secrets`,
        signal: AbortSignal.timeout(15_000),
        ...options,
      });
    const create = (namespace: string, name: string, labels: Record<string, string> = {}) =>
      rig().kubernetes.core.createNamespacedSecret({ namespace, body: { metadata: { name, labels } } });

    test('tells the present state, then every change', async () => {
      const { core } = rig().kubernetes;
      const namespace = await rig().bareNamespace();
      await create(namespace, 'a');
      const said = await until(
        watch(namespace),
        ({ type }) => type === 'DELETED',
        async ({ type }) => {
          if (type === 'BOOKMARK')
            await core.patchNamespacedSecret(
              { namespace, name: 'a', body: { metadata: { labels: { x: 'y' } } } },
              callOptions({ patch: 'merge' }),
            );
          if (type === 'MODIFIED') await core.deleteNamespacedSecret({ namespace, name: 'a' });
        },
      );
      expect(said).toEqual(['ADDED a', 'BOOKMARK', 'MODIFIED a', 'DELETED a']);
    });

    test('resumes from a version, and misses nothing after it', async () => {
      const namespace = await rig().bareNamespace();
      const first = await create(namespace, 'a');
      await create(namespace, 'b');
      await create(namespace, 'c');
      const resourceVersion = first.metadata?.resourceVersion ?? '';
      const said = await until(watch(namespace, { resourceVersion }), (event) => 'object' in event && event.object.metadata?.name === 'c');
      expect(said).toEqual(['ADDED b', 'ADDED c']);
    });

    test('by label tells of an object that stops matching as deleted', async () => {
      const { core } = rig().kubernetes;
      const namespace = await rig().bareNamespace();
      await create(namespace, 'other');
      await create(namespace, 'a', { team: 'x' });
      const relabel = () =>
        core.patchNamespacedSecret(
          { namespace, name: 'a', body: { metadata: { labels: { team: 'y' } } } },
          callOptions({ patch: 'merge' }),
        );
      const said = await until(
        watch(namespace, { labelSelector: 'team=x' }),
        ({ type }) => type === 'DELETED',
        ({ type }) => (type === 'BOOKMARK' ? relabel() : Promise.resolve()),
      );
      expect(said).toEqual(['ADDED a', 'BOOKMARK', 'DELETED a']);
    });

    test('by name tells of one object only', async () => {
      const namespace = await rig().bareNamespace();
      await create(namespace, 'a');
      const said = await until(
        watch(namespace, { fieldSelector: 'metadata.name=b' }),
        ({ type }) => type === 'ADDED',
        ({ type }) => (type === 'BOOKMARK' ? create(namespace, 'b') : Promise.resolve()),
      );
      expect(said).toEqual(['BOOKMARK', 'ADDED b']);
    });

    test('is ended by the server in its time, with a bookmark of how far it was, and goes on from there', async () => {
      const namespace = await rig().bareNamespace();
      const { metadata } = await create(namespace, 'a');
      const transport = createTransport(await openAccess(cluster().access));
      const short = { serverTimeoutSeconds: 3, silenceMs: 10_000, firstBackoffMs: 10, longestBackoffMs: 100 };
      const options = {
        path: `/api/v1/namespaces/${namespace}/secrets`,
        resourceVersion: metadata?.resourceVersion ?? '',
        signal: AbortSignal.timeout(15_000),
      };
      let bookmarks = 0;
      const said = await until(
        watchCollection<V1Secret>(transport, options, short),
        ({ type }) => type === 'ADDED',
        async ({ type }) => {
          bookmarks += type === 'BOOKMARK' ? 1 : 0;
          if (bookmarks === 2) await create(namespace, 'b');
        },
      );
      await transport.close();
      expect(said).toContain('ADDED b');
      expect(said).not.toContain('ADDED a');
      expect(said).not.toContain('RESTARTED');
    });
  });

  // Not beside the others: it makes the server forget what they still need.
  describe('a watch from the past', () => {
    test('from a version that the server has forgotten starts over with the present state', async () => {
      const { path, resourceVersion } = await cluster().forgotten(rig());
      const events = rig().kubernetes.watch<V1Secret>({ path, resourceVersion, signal: AbortSignal.timeout(15_000) });
      const said = await until(events, ({ type }) => type === 'BOOKMARK');
      expect([said.at(0), said.at(-1)]).toEqual(['RESTARTED', 'BOOKMARK']);
    });
  });
}
