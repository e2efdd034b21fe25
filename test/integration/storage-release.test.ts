/**
 * What becomes of volumes, buckets and snapshots when those who had them leave; on every store there is.
 */
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { deleteGrant, putGrant } from '../../shared/auth/share.ts';
import type { Deps } from '../../shared/deps.ts';
import type { DocumentStore } from '../../shared/documents/port.ts';
import { endHeld } from '../../shared/entitlements/end-held.ts';
import { heldBy, liveSessions } from '../../shared/entitlements/held.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { newId } from '../../shared/ids.ts';
import type { NamespaceDocument } from '../../shared/namespaces/model.ts';
import { labels } from '../../shared/pods/names.ts';
import { bySystem } from '../../shared/sessions/change.ts';
import { namespaceKey, sessionKey, snapshotKey, userKey, volumeKey } from '../../shared/sessions/collections.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { changeToStart } from '../../shared/sessions/readmit.ts';
import { BucketError, type BucketStore } from '../../shared/storage/buckets.ts';
import { removeVolume } from '../../shared/storage/delete.ts';
import { finishVolume } from '../../shared/storage/finish.ts';
import { listVolumes } from '../../shared/storage/list.ts';
import type { SessionVolume, SnapshotDocument, VolumeDocument } from '../../shared/storage/model.ts';
import { openBucket } from '../../shared/storage/readers.ts';
import { releaseVolumes } from '../../shared/storage/release.ts';
import { changeSnapshot, forgetSnapshot, recordSnapshot } from '../../shared/storage/snapshot-documents.ts';
import { readStorePage } from '../../shared/sweep/documents.ts';
import { planObject } from '../../shared/sweep/plan-orphan.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { sessionDocument, testNow } from '../fakes/session-document.ts';
import { storeDeps } from '../fakes/store-deps.ts';
import { snapshotDocument, volumeDocument } from '../fakes/volume-document.ts';
import { sighting } from '../unit/sweep/sightings.ts';

const signal = AbortSignal.timeout(60_000);

/** Of which nothing counts but whom they are open to. */
function memoryBuckets(): { readonly buckets: BucketStore; readonly open: Set<string>; fail: boolean } {
  const state = { open: new Set<string>(), fail: false };
  const answer = <T>(value: T): Promise<T> =>
    state.fail ? Promise.reject(new BucketError('unavailable', 'Buckets are away in this test.')) : Promise.resolve(value);
  const buckets: BucketStore = {
    ensure: () => answer({ kind: 'ready' }),
    exists: () => answer(true),
    grant: async (_bucket, { k8sNamespace }) => void (await answer(state.open.add(k8sNamespace))),
    revoke: async (_bucket, { k8sNamespace }) => void (await answer(state.fail || state.open.delete(k8sNamespace))),
    remove: () => answer(true),
    list: () => answer([]),
    read: () => new PassThrough(),
  };
  return Object.assign(state, { buckets });
}

function mountOf(volume: VolumeDocument): SessionVolume {
  return {
    volume_id: volume.id,
    type: volume.type,
    source: volume.claim_name ?? volume.bucket_name ?? '',
    mount_path: '/data',
    read_only: false,
    size_gb: volume.size_gb,
    shared: volume.shared,
  };
}

for (const { name, missing, start } of implementations) {
  if (missing !== undefined) console.warn(missing);
  describe.skipIf(missing !== undefined)(`on ${name}`, () => {
    let fixture: StoreFixture;
    let store: DocumentStore;
    let memory: ReturnType<typeof memoryBuckets>;
    let deps: Deps;
    beforeAll(async () => {
      fixture = start();
      store = await fixture.open();
      memory = memoryBuckets();
      deps = { ...storeDeps(store, { env: { BERTH_ENTITLEMENTS: '{"normal":{"share":true}}' } }), buckets: memory.buckets };
    });
    afterAll(() => fixture.close());

    const read = async <T extends object>(key: ReturnType<typeof volumeKey>): Promise<T | undefined> => (await store.get<T>(key))?.data;
    const volumeNow = async (id: string): Promise<VolumeDocument | undefined> => read<VolumeDocument>(volumeKey(id));

    /** A volume of a new user in a namespace of their own, with sessions of whoever is named. */
    async function world(fields: Partial<VolumeDocument>, users: Readonly<Record<string, Partial<SessionDocument>>>) {
      const owner = `owner-${newId()}`;
      const namespace = `n-${newId()}`;
      const k8s_namespace = `berth-${namespace}`;
      const id = newId().padEnd(32, '0');
      const empty = volumeDocument({ id, user: owner, namespace, k8s_namespace, ...fields });
      const sessions = Object.entries(users).map(([user, given]) => {
        const spec = { ...sessionDocument().spec, volumes: [mountOf(empty)] };
        return sessionDocument({ id: newId(), user: user === 'owner' ? owner : user, k8s_namespace: `berth-${user}`, spec, ...given });
      });
      const volume = { ...empty, sessions: Object.fromEntries(sessions.map((session) => [session.id, true] as const)) };
      const home: NamespaceDocument = {
        namespace,
        owner,
        k8s_namespace,
        state: 'active',
        sessions: {},
        volumes: { [id]: true },
        emptied_at: null,
        k8s_uid: null,
        objects_digest: null,
        created_at: testNow.toISOString(),
      };
      await store.create(volumeKey(id), volume);
      await store.create(namespaceKey(namespace), home);
      for (const session of sessions) await store.create(sessionKey(session.id), session);
      return { owner, volume, sessions };
    }

    const bucket = { type: 'gcs_fuse', bucket_name: 'b', bucket_is_ours: true, claim_name: null } as const;

    it('a session ends although its claim or its bucket cannot be removed', async () => {
      const claim = await world({ retain: false }, { alice: {} });
      const folder = await world({ ...bucket, retain: false }, { alice: {} });
      memory.fail = true;
      for (const { volume, sessions } of [claim, folder]) {
        const [session] = sessions;
        if (session === undefined) throw new Error('no session');
        await releaseVolumes(deps, session, { preserve: false, signal });
        expect(await volumeNow(volume.id)).toMatchObject({ status: 'deleting', sessions: {}, due_at: '2026-03-01T12:00:10.000Z' });
      }
      memory.fail = false;
      expect(await finishVolume(deps, folder.volume.id)).toBe('done');
      expect((await volumeNow(folder.volume.id))?.status).toBe('deleted');
    });

    it('a bucket is closed to a namespace when its last session there has left, though others mount it still', async () => {
      const { owner, volume, sessions } = await world(bucket, { owner: { k8s_namespace: 'berth-home' }, alice: {}, bob: {} });
      await putGrant(deps, asUser(owner), 'volume', volume.id, { user: 'alice', access: 'write' });
      await putGrant(deps, asUser(owner), 'volume', volume.id, { user: 'bob', access: 'write' });
      for (const { k8s_namespace: namespace } of sessions) await openBucket(deps, volume, namespace, signal);
      expect((await volumeNow(volume.id))?.readers).toEqual({ 'berth-home': true, 'berth-alice': true, 'berth-bob': true });
      const alices = sessions[1];
      if (alices === undefined) throw new Error('no session');
      await releaseVolumes(deps, alices, { preserve: false, signal });
      expect([...memory.open].toSorted()).toEqual(['berth-bob', 'berth-home']);
      expect((await volumeNow(volume.id))?.readers).toEqual({ 'berth-home': true, 'berth-bob': true });

      // Bob's session runs on; what he may do is taken back all the same, by the sweep, and again where buckets were away.
      await deleteGrant(deps, asUser(owner), 'volume', volume.id, 'bob');
      expect((await volumeNow(volume.id))?.due_at).toBe(testNow.toISOString());
      memory.fail = true;
      await expect(finishVolume(deps, volume.id)).rejects.toMatchObject({ code: 'unavailable' });
      memory.fail = false;
      await finishVolume(deps, volume.id);
      expect([...memory.open]).toEqual(['berth-home']);
      expect(await volumeNow(volume.id)).toMatchObject({ readers: { 'berth-home': true }, due_at: null });
    });

    it('a session does not start again with a volume that is not shared with its user any more', async () => {
      const user = `guest-${newId()}`;
      const { owner, volume, sessions } = await world({}, { [user]: { status: 'stopped', namespace: `g-${newId()}` } });
      const [session] = sessions;
      if (session === undefined) throw new Error('no session');
      const startAgain = () => changeToStart(deps, session.id, { type: 'start' }, { by: bySystem });
      await expect(startAgain()).rejects.toMatchObject({ code: 'forbidden' });
      await putGrant(deps, asUser(owner), 'volume', volume.id, { user, access: 'read' });
      await expect(startAgain()).rejects.toMatchObject({ code: 'forbidden' });
      await putGrant(deps, asUser(owner), 'volume', volume.id, { user, access: 'write' });
      expect(await startAgain()).toMatchObject({ changed: true, session: { status: 'creating' } });
    });

    it('sessions that rest and may not mount a volume any more keep nobody from deleting it', async () => {
      const guest = await world({}, { alice: { status: 'stopped' } });
      expect(await removeVolume(deps, guest.volume.id)).toBe('deleting');
      const running = await world({}, { alice: { status: 'running' } });
      await expect(removeVolume(deps, running.volume.id)).rejects.toMatchObject({ code: 'volume_in_use' });
      const own = await world({}, { owner: { status: 'stopped' } });
      await expect(removeVolume(deps, own.volume.id)).rejects.toMatchObject({ code: 'volume_in_use' });
    });

    it('a list of what is shared holds the volumes of others that were granted, and no other', async () => {
      const user = `reader-${newId()}`;
      const granted = await world({}, {});
      await world({}, {});
      await putGrant(deps, asUser(granted.owner), 'volume', granted.volume.id, { user, access: 'read' });
      const listed = async (filters: object) =>
        (await listVolumes(deps, asUser(user), { limit: 10, ...filters })).volumes.map(({ id }) => id);
      expect(await listed({ shared: true })).toEqual([granted.volume.id]);
      expect(await listed({ shared: true, type: 'gcs_fuse' })).toEqual([]);
      expect(await listed({})).toEqual([]);
      expect(await listed({ shared: true, namespace: granted.volume.namespace })).toEqual([]);
      await deleteGrant(deps, asUser(granted.owner), 'volume', granted.volume.id, user);
      expect(await listed({ shared: true })).toEqual([]);
    });

    it('a claim whose document was lost is found to be a failed session’s, which is in no namespace’s document', async () => {
      const { volume, sessions } = await world({}, { owner: { status: 'failed' } });
      await store.delete(volumeKey(volume.id));
      const [session] = sessions;
      const place = { name: volume.claim_name ?? '', namespace: session?.k8s_namespace ?? '' };
      const claim = sighting('claim', { ...place, labels: { [labels.volume]: volume.id } });
      const page = await readStorePage(deps, [claim]);
      expect(planObject(claim, page, testNow, { graceMs: 0 })).toEqual({ type: 'adopt_claim', sighting: claim, sessionIds: [session?.id] });
    });

    describe('a snapshot', () => {
      const snapshotOf = (volume: VolumeDocument): SnapshotDocument =>
        snapshotDocument({
          id: newId(),
          volume_id: volume.id,
          user: volume.user,
          namespace: volume.namespace,
          k8s_namespace: volume.k8s_namespace,
          status: 'creating',
          size_gb: 4,
        });
      const holdsOf = async (user: string) => (await read<UserDocument>(userKey(user)))?.holds ?? {};

      it('counts against its owner’s limits with the size it has, keeps its namespace, and gives both back', async () => {
        const { owner, volume } = await world({}, {});
        const snapshot = snapshotOf(volume);
        const hold = `snapshot-${snapshot.id}`;
        await recordSnapshot(deps, volume, snapshot);
        expect(await holdsOf(owner)).toEqual({ [hold]: { storage_gb: 4 } });
        expect((await volumeNow(volume.id))?.snapshots).toEqual({ [snapshot.id]: true });
        await changeSnapshot(deps, snapshot, () => ({ status: 'ready', size_gb: 2 }));
        expect(await holdsOf(owner)).toEqual({ [hold]: { storage_gb: 2 } });
        const namespaceNow = async () => (await read<NamespaceDocument>(namespaceKey(volume.namespace)))?.volumes;
        expect(await namespaceNow()).toHaveProperty(hold);
        await forgetSnapshot(deps, snapshot);
        expect(await holdsOf(owner)).toEqual({});
        expect((await volumeNow(volume.id))?.snapshots).toEqual({});
        expect(await namespaceNow()).toEqual({ [volume.id]: true });
        // Who comes late does not bring it back.
        await changeSnapshot(deps, snapshot, () => ({ status: 'ready', size_gb: 9 }));
        expect(await holdsOf(owner)).toEqual({});
        expect(await read<SnapshotDocument>(snapshotKey(snapshot.id))).toMatchObject({ status: 'deleted' });
      });

      it('is one of fifty of its volume at most, and within the limit of its owner, however many ask at once', async () => {
        const others = Object.fromEntries(Array.from({ length: 49 }, () => [newId(), true] as const));
        const { volume } = await world({ snapshots: others }, {});
        const asked = await Promise.allSettled(Array.from({ length: 8 }, () => recordSnapshot(deps, volume, snapshotOf(volume))));
        expect(asked.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        const limits = asked.flatMap((outcome) => (outcome.status === 'rejected' ? [limitOf(outcome.reason)] : []));
        expect(limits).toEqual(Array.from({ length: 7 }, () => 'snapshots'));

        const big = await world({}, {});
        const size = { ...snapshotOf(big.volume), size_gb: 1_000_000 };
        await expect(
          recordSnapshot(deps, big.volume, size).catch((error: unknown) => Promise.reject(new Error(limitOf(error)))),
        ).rejects.toThrow('storage_gb');
      });

      it('ends with its user', async () => {
        const { owner, volume } = await world({}, {});
        const snapshot = snapshotOf(volume);
        await recordSnapshot(deps, volume, snapshot);
        const held = await heldBy(deps, owner, liveSessions);
        expect((await endHeld(deps, held, bySystem)).snapshots).toEqual([snapshot.id]);
        expect(await read<SnapshotDocument>(snapshotKey(snapshot.id))).toMatchObject({ status: 'deleting', due_at: testNow.toISOString() });
      });
    });
  });
}

function limitOf(error: unknown): string {
  return error instanceof AppError ? String(error.extensions['limit']) : String(error);
}

function asUser(user: string): Caller {
  return { keyId: 'k', kind: 'user', user, requestId: 'r' };
}
