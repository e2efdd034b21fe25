/**
 * Watches of the embedded cluster.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NS, startApiRig } from '../unit/dev/cluster-api/api-rig.ts';
import type { ApiRig } from '../unit/dev/cluster-api/api-rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await startApiRig();
});

afterAll(() => rig.stop());

interface Line {
  readonly type: string;
  readonly object: {
    readonly kind: string;
    readonly code?: number;
    readonly reason?: string;
    readonly metadata: { readonly name?: string; readonly resourceVersion?: string; readonly annotations?: Record<string, string> };
  };
}

/** The lines of a watch, one after the other; leaving the loop ends it. */
async function* watch(query: string, path = `/api/v1/namespaces/${NS}/pods`): AsyncGenerator<Line> {
  const response = await rig.call(`${path}?watch=1&${query}`, { signal: AbortSignal.timeout(8000) });
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) yield JSON.parse(line) as Line;
  }
}

async function next(lines: AsyncGenerator<Line>): Promise<Line> {
  const result = await lines.next();
  if (result.done === true) throw new Error('the watch ended');
  return result.value;
}

describe('watches', () => {
  it('begin with what is there, mark it, and follow an object into and out of a selection', async () => {
    const label = (value: string): Promise<Response> =>
      rig.call(`/api/v1/namespaces/${NS}/secrets/moving`, {
        method: 'PATCH',
        body: JSON.stringify({ metadata: { labels: { w: value } } }),
        headers: { 'content-type': 'application/merge-patch+json' },
      });
    await rig.core.createNamespacedSecret({ namespace: NS, body: { metadata: { name: 'moving', labels: { w: 'in' } } } });
    const lines = watch(
      'labelSelector=w%3Din&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan',
      `/api/v1/namespaces/${NS}/secrets`,
    );
    expect(await next(lines)).toMatchObject({ type: 'ADDED', object: { kind: 'Secret', metadata: { name: 'moving' } } });
    expect(await next(lines)).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    await label('out');
    const left = await next(lines);
    expect(left).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'moving' } } });
    await label('in');
    const back = await next(lines);
    expect(back.type).toBe('ADDED');
    expect(Number(back.object.metadata.resourceVersion)).toBeGreaterThan(Number(left.object.metadata.resourceVersion));
    await rig.core.deleteNamespacedSecret({ name: 'moving', namespace: NS });
    expect((await next(lines)).type).toBe('DELETED');
    await lines.return(undefined);
  });

  it('resume where they were, without a gap', async () => {
    const { metadata } = await rig.core.listNamespacedSecret({ namespace: NS });
    for (const name of ['r1', 'r2']) await rig.core.createNamespacedSecret({ namespace: NS, body: { metadata: { name } } });
    const lines = watch(`resourceVersion=${metadata?.resourceVersion}`, `/api/v1/namespaces/${NS}/secrets`);
    expect([(await next(lines)).object.metadata.name, (await next(lines)).object.metadata.name]).toEqual(['r1', 'r2']);
    await lines.return(undefined);
  });

  it('have a bookmark soon, though nothing happens, and end when their time is up', async () => {
    const { metadata } = await rig.core.listNamespacedSecret({ namespace: NS });
    const lines: Line[] = [];
    for await (const line of watch(
      `resourceVersion=${metadata?.resourceVersion}&allowWatchBookmarks=true&timeoutSeconds=2&fieldSelector=metadata.name=nothing`,
      `/api/v1/namespaces/${NS}/secrets`,
    ))
      lines.push(line);
    expect(lines.map(({ type }) => type)).toEqual(['BOOKMARK']);
    expect(Number(lines[0]?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(metadata?.resourceVersion));
  });

  it('say 410 Expired where their version is not known', async () => {
    const lines = watch('resourceVersion=999999999');
    expect(await next(lines)).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
    expect((await lines.next()).done).toBe(true);
  });

  it('hear of a change at once', async () => {
    const { metadata } = await rig.core.listNamespacedPod({ namespace: NS });
    const lines = watch(`resourceVersion=${metadata?.resourceVersion}&fieldSelector=metadata.name=quick`);
    const first = next(lines);
    const start = performance.now();
    await rig.createPod('quick');
    expect((await first).object.metadata.name).toBe('quick');
    expect(performance.now() - start).toBeLessThan(250);
    await lines.return(undefined);
  });
});
