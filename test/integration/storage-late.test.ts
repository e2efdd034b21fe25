/**
 * Volumes of one name, one after another: who is late to finish one must not touch the next. And growth that the cluster refuses.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import { userKey } from '../../shared/sessions/collections.ts';
import { createClaim, removeClaim } from '../../shared/storage/claim.ts';
import { ensureVolume, type VolumeOutcome } from '../../shared/storage/ensure.ts';
import { finishVolume } from '../../shared/storage/finish.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { startLife, type Life } from '../fakes/life.ts';

const caller: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
const SOON = { timeout: 15_000, interval: 50 };

let cluster: EmbeddedCluster;
let directory: string;
let life: Life;
let refusesGrowth = false;

/** Sends the patches of claims to where they are refused, as an admission webhook does. */
const interceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const isGrowth = options.method === 'PATCH' && options.path.includes('/persistentvolumeclaims/');
  // A claim may not lose its size: 422, in the words of the API server itself.
  return dispatch(
    isGrowth && refusesGrowth ? { ...options, body: '{"spec":{"resources":{"requests":{"storage":"1Mi"}}}}' } : options,
    handler,
  );
};

beforeAll(async () => {
  cluster = await startEmbeddedCluster();
  directory = await mkdtemp(join(tmpdir(), 'berth-late-'));
  life = await startLife({
    databaseFile: join(directory, 'berth.db'),
    kubeconfigFile: cluster.kubeconfigFile,
    installation: 'late',
    env: { BERTH_DEFAULT_USER_TYPE: 'pro' },
    interceptors: [interceptor],
  });
  // Keeps the namespace.
  await life.services.createVolume(caller, { name: 'other', size_gb: 1 });
});

afterAll(async () => {
  await life.end();
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

async function make(): Promise<VolumeDocument> {
  return life.services.createVolume(caller, { name: 'data', size_gb: 1 });
}

async function volumeNow({ id }: VolumeDocument): Promise<VolumeDocument> {
  return (await life.services.getVolume(caller, id)).volume;
}

async function end(volume: VolumeDocument): Promise<void> {
  await life.services.deleteVolume(caller, volume.id);
  await expect
    .poll(async () => {
      await finishVolume(life.deps, volume.id);
      return (await volumeNow(volume)).status;
    }, SOON)
    .toBe('deleted');
}

async function uidOf(volume: VolumeDocument): Promise<string | undefined> {
  const { core } = await life.deps.kubernetes();
  const place = { name: volume.claim_name ?? '', namespace: volume.k8s_namespace };
  return (await core.readNamespacedPersistentVolumeClaim(place)).metadata?.uid;
}

async function ensure(volume: VolumeDocument): Promise<VolumeOutcome> {
  return ensureVolume(life.deps, volume, volume.k8s_namespace, AbortSignal.timeout(10_000), () => Promise.resolve());
}

describe('a volume whose name an earlier one had', () => {
  it('is left alone by who is late to end that one, or to make it', { timeout: 60_000 }, async () => {
    const first = await make();
    await end(first);
    const second = await make();
    expect([second.id, second.claim_name]).toEqual([first.id, first.claim_name]);
    const uid = await uidOf(second);
    expect(await removeClaim(life.deps, first)).toBe(true);
    expect(await ensure({ ...first, status: 'creating' })).toEqual({
      kind: 'failed',
      reason: 'volume_gone: The volume "data" was deleted.',
    });
    expect(await uidOf(second)).toBe(uid);
    expect(await volumeNow(second)).toMatchObject({ status: 'ready', incarnation: second.incarnation });
    await end(second);
  });

  it('gets no claim that was made for that one too late', { timeout: 60_000 }, async () => {
    const first = await make();
    await end(first);
    await createClaim(life.deps, { ...first, status: 'creating' });
    const uid = await uidOf(first);
    const second = await make();
    await expect
      .poll(async () => {
        await finishVolume(life.deps, second.id);
        return (await volumeNow(second)).status;
      }, SOON)
      .toBe('ready');
    expect(await uidOf(second)).not.toBe(uid);
    await end(second);
  });
});

it('growth that the cluster refuses is told, and taken back with what it held', { timeout: 60_000 }, async () => {
  const { session } = await life.services.createSession(
    caller,
    { volumes: [{ name: 'grows', mount_path: '/data', size_gb: 1 }] },
    { waitSeconds: 30 },
  );
  const id = session.spec.volumes[0]?.volume_id ?? '';
  expect(session.status).toBe('running');
  refusesGrowth = true;
  await expect(life.services.updateVolume(caller, id, { size_gb: 5 })).rejects.toMatchObject({ code: 'cluster_refused' });
  refusesGrowth = false;
  const { volume } = await life.services.getVolume(caller, id);
  expect(volume).toMatchObject({ size_gb: 1, due_at: null });
  expect(volume.reason).toMatch(/^growth_refused: /);
  const user = await life.deps.store.get<UserDocument>(userKey('alice'));
  expect(user?.data.holds[`volume-${id}`]).toEqual({ pvcs: 1, storage_gb: 1 });
  expect(await life.services.updateVolume(caller, id, { size_gb: 2 })).toMatchObject({ size_gb: 2 });
  await life.services.deleteSession(caller, session.id);
});
