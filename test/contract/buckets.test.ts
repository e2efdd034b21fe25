/**
 * What every place for buckets does. Cloud Storage is a server of ours here: its emulators know neither labels nor IAM.
 */
import { mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BucketStore } from '../../shared/storage/buckets.ts';
import { openCloudBuckets } from '../../shared/storage/cloud-buckets.ts';
import { openFolderBuckets } from '../../shared/storage/folder-buckets.ts';
import { startBucketServer, type BucketServer } from '../fakes/bucket-server.ts';

interface Fixture {
  readonly buckets: BucketStore;
  put(bucket: string, name: string, content: string): Promise<void>;
  stop(): Promise<void>;
}

async function startFolder(): Promise<Fixture> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-bucket-contract-'));
  return {
    buckets: openFolderBuckets(folder),
    put: async (bucket, name, content) => {
      const file = join(folder, bucket, name);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, content);
    },
    stop: () => rm(folder, { recursive: true }),
  };
}

async function startCloud(): Promise<Fixture & { readonly server: BucketServer }> {
  const server = await startBucketServer();
  // The library prefers an emulator of the environment to the endpoint it is given.
  vi.stubEnv('STORAGE_EMULATOR_HOST', undefined);
  return {
    server,
    buckets: openCloudBuckets({ project: 'p', location: 'EU', apiEndpoint: server.url }),
    put: (bucket, name, content) => {
      server.buckets.get(bucket)?.objects.set(name, content);
      return Promise.resolve();
    },
    stop: async () => {
      vi.unstubAllEnvs();
      await server.stop();
    },
  };
}

const owner = { installation: 'one', userSlug: 'alice', volumeId: 'v1', incarnation: 'first' };
const signal = AbortSignal.timeout(60_000);
const reader = { k8sNamespace: 'berth-u-alice', serviceAccount: 'berth-session' };

for (const [name, start] of [
  ['folders', startFolder],
  ['Cloud Storage', startCloud],
] as const) {
  describe(`buckets in ${name}`, () => {
    let fixture: Fixture;
    let buckets: BucketStore;
    beforeAll(async () => {
      fixture = await start();
      buckets = fixture.buckets;
    });
    afterAll(() => fixture.stop());

    it('are made once, however often, and not over one of somebody else', async () => {
      expect(await buckets.exists('made', signal)).toBe(false);
      await buckets.ensure('made', owner, signal);
      await buckets.ensure('made', owner, signal);
      expect(await buckets.exists('made', signal)).toBe(true);
      await expect(buckets.ensure('made', { ...owner, installation: 'two' }, signal)).rejects.toMatchObject({ code: 'taken' });
    });

    it('of an earlier volume are said to be, and stay as they are', async () => {
      expect(await buckets.ensure('earlier', owner, signal)).toEqual({ kind: 'ready' });
      await fixture.put('earlier', 'old', 'x');
      const later = { ...owner, incarnation: 'second' };
      expect(await buckets.ensure('earlier', later, signal)).toEqual({ kind: 'leftover', incarnation: 'first' });
      expect(await buckets.list('earlier', { limit: 10 })).toHaveLength(1);
      expect(await buckets.remove('earlier', owner, signal)).toBe(true);
      expect(await buckets.ensure('earlier', later, signal)).toEqual({ kind: 'ready' });
    });

    it('show what is in them by name, and read it', async () => {
      await buckets.ensure('full', owner, signal);
      for (const object of ['b', 'a/2', 'a/1']) await fixture.put('full', object, `content of ${object}`);
      expect((await buckets.list('full', { limit: 10 })).map((object) => object.name)).toEqual(['a/1', 'a/2', 'b']);
      expect((await buckets.list('full', { prefix: 'a/', limit: 1 })).map(({ name: object, sizeBytes }) => [object, sizeBytes])).toEqual([
        ['a/1', 14],
      ]);
      expect(await text(buckets.read('full', 'a/1'))).toBe('content of a/1');
      await expect(text(buckets.read('full', 'missing'))).rejects.toMatchObject({ code: 'not_found' });
    });

    it('are opened and closed to a service account as often as one likes', async () => {
      await buckets.ensure('open', owner, signal);
      await buckets.grant('open', reader, signal);
      await buckets.grant('open', reader, signal);
      await buckets.revoke('open', reader, signal);
      await buckets.revoke('open', reader, signal);
      await buckets.revoke('not-there', reader, signal);
      expect(await buckets.exists('not-there', signal)).toBe(false);
    });

    it('go with all they hold, and only by whom they belong to', async () => {
      await buckets.ensure('going', owner, signal);
      for (let index = 0; index < 40; index += 1) await fixture.put('going', `o${String(index)}`, 'x');
      for (const other of [{ installation: 'two' }, { incarnation: 'second' }]) {
        expect(await buckets.remove('going', { ...owner, ...other }, signal)).toBe(true);
      }
      expect(await buckets.exists('going', signal)).toBe(true);
      expect(await buckets.remove('going', owner, signal)).toBe(true);
      expect(await buckets.exists('going', signal)).toBe(false);
      expect(await buckets.remove('going', owner, signal)).toBe(true);
    });
  });
}

describe('Cloud Storage', () => {
  it('gets what keeps buckets private and tells whose they are, and one binding for each namespace', async () => {
    const { buckets, server, stop } = await startCloud();
    await buckets.ensure('b', owner, signal);
    expect(server.buckets.get('b')?.labels).toEqual({
      'berth-installation': 'one',
      'berth-incarnation': 'first',
      'berth-user': 'alice',
      'berth-volume': 'v1',
    });
    await buckets.grant('b', reader, signal);
    await buckets.grant('b', { ...reader, k8sNamespace: 'berth-team' }, signal);
    await buckets.grant('b', reader, signal);
    const member = (namespace: string): string =>
      `principal://iam.googleapis.com/projects/42/locations/global/workloadIdentityPools/p.svc.id.goog/subject/ns/${namespace}/sa/berth-session`;
    expect(server.buckets.get('b')?.policy.bindings).toEqual([
      { role: 'roles/storage.objectUser', members: [member('berth-u-alice'), member('berth-team')] },
    ]);
    await buckets.revoke('b', reader, signal);
    expect(server.buckets.get('b')?.policy.bindings).toEqual([{ role: 'roles/storage.objectUser', members: [member('berth-team')] }]);
    await stop();
  });

  it('that does not answer is given up when the caller gives up', async () => {
    const { buckets, server, stop } = await startCloud();
    const release = server.hold();
    const gone = AbortSignal.abort(new Error('nobody waits any more'));
    await expect(buckets.ensure('b', owner, gone)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await buckets.remove('b', owner, gone)).toBe(false);
    const caller = new AbortController();
    const granting = buckets.grant('b', reader, caller.signal);
    await expect.poll(() => server.held()).toBe(1);
    caller.abort();
    await expect(granting).rejects.toMatchObject({ code: 'unavailable' });
    release();
    await stop();
  });

  it('that refuses is told from one that is away', async () => {
    const { buckets, server, stop } = await startCloud();
    server.failWith(403);
    await expect(buckets.ensure('b', owner, signal)).rejects.toMatchObject({ code: 'refused' });
    expect(await buckets.exists('b', signal)).toBe('unknown');
    await stop();
    await expect(buckets.list('b', { limit: 1 })).rejects.toMatchObject({ code: 'unavailable' });
  });
});
