/**
 * Buckets on the embedded cluster: what a pod writes is read by the bucket's own API.
 */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import type { BucketStore } from '../../shared/storage/buckets.ts';
import { openFolderBuckets } from '../../shared/storage/folder-buckets.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { startLife, type Life } from '../fakes/life.ts';

const caller: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
const WAIT = { waitSeconds: 30 };
const SOON = { timeout: 15_000, interval: 50 };

let cluster: EmbeddedCluster;
let directory: string;
let life: Life;
let buckets: BucketStore;

beforeAll(async () => {
  cluster = await startEmbeddedCluster();
  directory = await mkdtemp(join(tmpdir(), 'berth-buckets-'));
  buckets = openFolderBuckets(cluster.bucketsFolder);
  life = await startLife({
    databaseFile: join(directory, 'berth.db'),
    kubeconfigFile: cluster.kubeconfigFile,
    installation: 'buckets',
    bucketsFolder: cluster.bucketsFolder,
  });
});

afterAll(async () => {
  await life.end();
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

async function run(id: string, command: string): Promise<string> {
  const { success, stdout, stderr } = await life.services.execute(caller, id, { command }, AbortSignal.timeout(20_000));
  return success ? stdout : `failed: ${stderr}`;
}

describe('a session with a bucket', () => {
  it('has it as its workspace; what it writes is read by the bucket’s API, and both go together', { timeout: 60_000 }, async () => {
    const { session } = await life.services.createSession(caller, { request_bucket: true }, WAIT);
    expect({ status: session.status, reason: session.reason, type: session.spec.storage_type }).toEqual({
      status: 'running',
      reason: null,
      type: 'gcs_fuse',
    });
    const bucket = session.spec.volumes[0]?.source ?? '';
    expect(await run(session.id, 'mkdir -p out; echo written > out/file; echo "$BUCKET_NAME"')).toBe(`${bucket}\n`);
    expect((await buckets.list(bucket, { prefix: 'out/', limit: 10 })).map(({ name, sizeBytes }) => ({ name, sizeBytes }))).toEqual([
      { name: 'out/file', sizeBytes: 8 },
    ]);
    expect(await text(buckets.read(bucket, 'out/file'))).toBe('written\n');

    await life.services.deleteSession(caller, session.id);
    await expect.poll(() => buckets.exists(bucket, AbortSignal.timeout(1000)), SOON).toBe(false);
  });

  it('has it at /bucket beside a volume, and what lies below a prefix only', { timeout: 60_000 }, async () => {
    const body = { request_persistent_storage: true, request_bucket: true, storage_config: { gcs_prefix: 'team/a' } };
    const { session } = await life.services.createSession(caller, body, WAIT);
    expect(session.status).toBe('running');
    const bucket = session.spec.volumes.find(({ type }) => type === 'gcs_fuse')?.source ?? '';
    await run(session.id, 'echo in > /bucket/file; echo out > "$HOME/file"');
    expect(await text(buckets.read(bucket, 'team/a/file'))).toBe('in\n');
    await life.services.deleteSession(caller, session.id);
  });

  it('of the caller’s own mounts it and leaves it; one that is not there is named', { timeout: 60_000 }, async () => {
    const own = join(cluster.bucketsFolder, 'my-own-bucket');
    await mkdir(own, { recursive: true, mode: 0o755 });
    await writeFile(join(own, 'given'), 'given\n');
    const body = (bucket: string) => ({ storage_config: { storage_type: 'gcs_fuse' as const, bucket_name: bucket, mount_path: '/data' } });
    const { session } = await life.services.createSession(caller, body('my-own-bucket'), WAIT);
    expect(await run(session.id, 'cat /data/given')).toBe('given\n');
    await life.services.deleteSession(caller, session.id);
    await expect.poll(async () => (await life.services.getSession(caller, session.id)).status, SOON).toBe('terminated');
    expect(await text(buckets.read('my-own-bucket', 'given'))).toBe('given\n');

    const missing = await life.services.createSession(caller, body('not-there'), WAIT);
    expect(missing.session).toMatchObject({ status: 'failed', reason: 'bucket_unknown: There is no bucket "not-there".' });
    await life.services.deleteSession(caller, missing.session.id);
  });
});

describe('the folders of buckets', () => {
  const owner = { installation: 'one', userSlug: 'alice', volumeId: 'v', incarnation: 'first' };
  const signal = AbortSignal.timeout(60_000);

  it('belong to one installation: another can neither take nor remove them', async () => {
    await buckets.ensure('shared-name', owner, signal);
    await buckets.ensure('shared-name', owner, signal);
    await expect(buckets.ensure('shared-name', { ...owner, installation: 'two' }, signal)).rejects.toMatchObject({ code: 'taken' });
    expect(await buckets.remove('shared-name', { ...owner, installation: 'two' }, signal)).toBe(true);
    expect(await buckets.exists('shared-name', signal)).toBe(true);
    expect(await buckets.remove('shared-name', owner, signal)).toBe(true);
    expect(await buckets.exists('shared-name', signal)).toBe(false);
  });

  it('are never left: not by a name, not by a link that a pod has made', async () => {
    await buckets.ensure('links', owner, signal);
    const secret = join(directory, 'secret');
    await writeFile(secret, 'secret');
    await symlink(secret, join(cluster.bucketsFolder, 'links', 'link'));
    await symlink(directory, join(cluster.bucketsFolder, 'links', 'folder'));
    for (const name of ['link', 'folder/secret', '../../secret', '..', '', 'missing'])
      await expect(text(buckets.read('links', name)), name).rejects.toMatchObject({ code: 'not_found' });
    expect(await buckets.list('links', { limit: 10 })).toEqual([]);
    await expect(buckets.list('../links', { limit: 10 })).rejects.toMatchObject({ code: 'refused' });
    await buckets.remove('links', owner, signal);
  });
});
