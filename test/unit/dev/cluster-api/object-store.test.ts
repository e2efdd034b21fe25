import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubernetesObject, V1Pod } from '@kubernetes/client-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openObjects } from '../../../../dev/cluster/api/object-store.ts';
import type { ObjectStore } from '../../../../dev/cluster/api/object-store.ts';
import { pods, secrets } from '../../../../dev/cluster/api/resources.ts';

let directory: string;
let objects: ObjectStore;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'berth-objects-'));
  objects = openObjects(join(directory, 'objects.db'), { history: 4 });
});

afterEach(() => {
  objects.close();
  rmSync(directory, { recursive: true });
});

function create(name: string, more: KubernetesObject & { spec?: object } = {}): V1Pod {
  return objects.create<V1Pod>(pods, { ...more, metadata: { ...more.metadata, name, namespace: 'n' } } as V1Pod);
}

/** Listeners hear of a change in a microtask; a promise that settles after it has been queued behind. */
async function delivered(): Promise<void> {
  await Promise.resolve();
  await Promise.resolve();
}

describe('objects', () => {
  it('get an identity, a time of the wire and rising versions', () => {
    const [first, second] = [create('a'), create('b')];
    expect(first).toMatchObject({
      kind: 'Pod',
      apiVersion: 'v1',
      metadata: { name: 'a', generation: 1 },
    });
    expect(first.metadata?.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(String(first.metadata?.creationTimestamp)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(Number(second.metadata?.resourceVersion)).toBe(Number(first.metadata?.resourceVersion) + 1);
  });

  it('get a name where only its beginning is given', () => {
    const object = objects.create<V1Pod>(pods, { metadata: { generateName: 'job-', namespace: 'n' } });
    expect(object.metadata?.name).toMatch(/^job-[a-z0-9]{5}$/);
  });

  it('exist once under a name', () => {
    create('a');
    expect(() => create('a')).toThrow('pods "a" already exists');
  });

  it('are shared and cannot be changed but by an update', () => {
    const pod = create('a', { spec: { containers: [] } });
    expect(() => Object.assign(pod, { kind: 'Other' })).toThrow(TypeError);
    expect(
      objects.update<V1Pod>(pods, 'n', 'a', (copy) => void (copy.spec = { containers: [], hostname: 'h' }))?.metadata?.generation,
    ).toBe(2);
  });

  it('keep their version where an update changes nothing', () => {
    const before = create('a').metadata?.resourceVersion;
    expect(objects.update(pods, 'n', 'a', () => undefined)?.metadata?.resourceVersion).toBe(before);
  });

  it('do not count a status or a binding as a new generation', () => {
    create('a', { spec: { containers: [] } });
    objects.update<V1Pod>(
      pods,
      'n',
      'a',
      (pod) => void (pod.status = { phase: 'Running', startTime: new Date('2026-01-02T03:04:05.678Z') }),
    );
    const pod = objects.update<V1Pod>(pods, 'n', 'a', (copy) => void (copy.spec = { containers: [], nodeName: 'x' }));
    expect(pod).toMatchObject({ metadata: { generation: 1 }, status: { startTime: '2026-01-02T03:04:05Z' } });
  });

  it('go with their last finalizer once they are deleted', () => {
    create('a', { metadata: { finalizers: ['x/y'] } });
    objects.update<V1Pod>(pods, 'n', 'a', ({ metadata }) =>
      Object.assign(metadata ?? {}, { deletionTimestamp: new Date(), deletionGracePeriodSeconds: 0 }),
    );
    expect(objects.get(pods, 'n', 'a')).toBeDefined();
    objects.update<V1Pod>(pods, 'n', 'a', ({ metadata }) => Object.assign(metadata ?? {}, { finalizers: [] }));
    expect(objects.get(pods, 'n', 'a')).toBeUndefined();
  });
});

describe('the file', () => {
  it('has the same objects at the next start, and the counter goes on even after a deletion', () => {
    const kept = create('a');
    create('b');
    objects.remove(pods, 'n', 'b');
    const { revision } = objects;
    objects.close();
    objects = openObjects(join(directory, 'objects.db'));
    expect(objects.list(pods)).toEqual([kept]);
    expect(Number(create('c').metadata?.resourceVersion)).toBe(revision + 1);
  });

  it('belongs to one process at a time', () => {
    expect(() => openObjects(join(directory, 'objects.db'))).toThrow(/locked/);
  });
});

describe('listeners', () => {
  it('hear what is there, then each change in order, also those that listeners make', async () => {
    create('a');
    const seen: string[] = [];
    objects.subscribe<V1Pod>(pods, ({ type, object }) => {
      seen.push(`${type} ${object.metadata?.name}`);
      if (type === 'ADDED' && object.metadata?.name === 'b') objects.remove(pods, 'n', 'a');
    });
    const other: string[] = [];
    objects.subscribe<V1Pod>(pods, ({ type, object }) => other.push(`${type} ${object.metadata?.name}`));
    create('b');
    objects.create(secrets, { metadata: { name: 's', namespace: 'n' } });
    expect(seen).toEqual(['ADDED a']);
    await delivered();
    expect(seen).toEqual(['ADDED a', 'ADDED b', 'DELETED a']);
    expect(other).toEqual(seen);
  });

  it('do not disturb each other, and hear nothing after they have left', async () => {
    const errors: unknown[] = [];
    objects.close();
    objects = openObjects(join(directory, 'other.db'), { onListenerError: (error) => errors.push(error) });
    const seen: string[] = [];
    const leave = objects.subscribe(pods, () => {
      throw new Error('broken');
    });
    objects.subscribe<V1Pod>(pods, ({ object }) => seen.push(object.metadata?.name ?? ''));
    create('a');
    await delivered();
    leave();
    create('b');
    await delivered();
    expect(seen).toEqual(['a', 'b']);
    expect(errors).toEqual([new Error('broken')]);
  });
});

describe('history', () => {
  it('shows a list as it was, and forgets in the end', () => {
    create('a');
    const { revision } = objects;
    create('b');
    objects.remove(pods, 'n', 'a');
    expect(objects.entriesAt(pods, revision).map(({ object }) => object.metadata.name)).toEqual(['a']);
    expect(objects.entries(pods).map(({ object }) => object.metadata.name)).toEqual(['b']);
    for (let index = 0; index < 8; index += 1) create(`more-${index}`);
    expect(objects.oldestRevision).toBeGreaterThan(revision);
  });
});
