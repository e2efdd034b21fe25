/**
 * Users in the store: types and limits, and the end of a user, on every store there is.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { createKey, findKey } from '../../shared/auth/keys.ts';
import { putGrant } from '../../shared/auth/share.ts';
import type { DocumentStore } from '../../shared/documents/port.ts';
import { deleteUser } from '../../shared/entitlements/delete-user.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import { repairUsage } from '../../shared/entitlements/repair.ts';
import { getUser, listUsers, putUser } from '../../shared/entitlements/users.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { newId } from '../../shared/ids.ts';
import { joinNamespace } from '../../shared/namespaces/membership.ts';
import { admitSession } from '../../shared/sessions/admission.ts';
import { bySystem, changeSession } from '../../shared/sessions/change.ts';
import { namespaceKey, sessionKey, userKey, volumeKey } from '../../shared/sessions/collections.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { updateSession } from '../../shared/sessions/update.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';
import { sweepDeletedUsers } from '../../shared/sweep/due.ts';
import { Tally } from '../../shared/sweep/tally.ts';
import { createWebhook, getWebhook } from '../../shared/webhooks/manage.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { sessionDocument, testNow } from '../fakes/session-document.ts';
import { storeDeps, type StoreDeps } from '../fakes/store-deps.ts';
import { volumeDocument } from '../fakes/volume-document.ts';

const admin: Caller = { keyId: 'k-admin', kind: 'admin', user: 'root', requestId: 'r' };
const as = (user: string): Caller => ({ keyId: `k-${user}`, kind: 'user', user, requestId: 'r' });

async function refusal(call: Promise<unknown>): Promise<AppError | undefined> {
  return call.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof AppError) return error;
      throw error;
    },
  );
}

function creating(user: string): SessionDocument {
  const id = newId();
  const namespace = `u-${user}`;
  const fields = { id, user, namespace, k8s_namespace: `berth-${namespace}`, pod_name: `berth-${id}`, pod_uid: null };
  return sessionDocument({ ...fields, status: 'creating', started_at: null });
}

async function admit(deps: StoreDeps, user: string): Promise<SessionDocument> {
  return (await admitSession(deps, { session: creating(user), userType: undefined, idempotency: undefined })).session;
}

/** A volume as admission would have written it, with its hold and its place in the namespace. */
async function giveVolume(deps: StoreDeps, user: string): Promise<VolumeDocument> {
  const id = newId();
  const namespace = `u-${user}`;
  const volume = volumeDocument({ id, user, name: id, namespace, k8s_namespace: `berth-${namespace}`, claim_name: `berth-${id}` });
  await deps.store.transact([userKey(user), namespaceKey(namespace)], ([holder, place]) => {
    const present = (holder?.data ?? { user, type: 'normal', limits: {}, holds: {}, created_at: '' }) as UserDocument;
    const joined = joinNamespace(
      place?.data as Parameters<typeof joinNamespace>[0],
      { namespace, k8sNamespace: volume.k8s_namespace, user, volumeIds: [id] },
      testNow,
    );
    const holds = { ...present.holds, [`volume-${id}`]: { pvcs: 1, storage_gb: volume.size_gb } };
    return {
      writes: [
        { type: 'set', key: userKey(user), data: { ...present, holds } },
        { type: 'set', key: namespaceKey(namespace), data: joined },
      ],
      result: undefined,
    };
  });
  await deps.store.create(volumeKey(id), volume);
  return volume;
}

for (const { name, missing, start } of implementations) {
  describe.skipIf(missing !== undefined)(missing ?? `users in ${name}`, () => {
    let fixture: StoreFixture;
    let store: DocumentStore;
    let deps: StoreDeps;
    let now = testNow;
    beforeAll(async () => {
      fixture = start();
      store = await fixture.open();
      deps = storeDeps(store, { env: { BERTH_ENTITLEMENTS: '{"pro":{"sessions":7}}' }, now: () => now });
    });
    afterAll(async () => fixture.close());

    it('have the default type until somebody says otherwise', async () => {
      const nobody = `nobody-${newId()}`;
      expect(await getUser(deps, as(nobody), nobody)).toMatchObject({
        type: 'normal',
        created_at: null,
        entitlements: { sessions: 5 },
        usage: { sessions: 0, gpus: 0 },
      });
    });

    it('have the type’s limits, the configuration’s over them, and their own over those', async () => {
      const user = `alice-${newId()}`;
      expect((await putUser(deps, user, { type: 'pro', limits: {} })).entitlements).toMatchObject({ sessions: 7, jobs: 25, share: true });
      const own = await putUser(deps, user, { type: 'pro', limits: { sessions: 3, share: false } });
      expect(own.entitlements).toMatchObject({ sessions: 3, jobs: 25, share: false });
      expect((await putUser(deps, user, { type: 'normal', limits: {} })).limits).toEqual({});
    });

    it('are there for themselves and for back ends, and for nobody else', async () => {
      expect((await refusal(getUser(deps, as('bob'), 'alice')))?.code).toBe('not_found');
      expect((await getUser(deps, { ...admin, kind: 'service', user: null }, 'alice')).user).toBe('alice');
    });

    it('are listed page by page, and by type', async () => {
      const users = [newId(), newId(), newId()];
      for (const user of users) await putUser(deps, user, { type: 'enterprise', limits: {} });
      const first = await listUsers(deps, { type: 'enterprise', limit: 2 });
      const second = await listUsers(deps, { type: 'enterprise', limit: 2, cursor: first.nextCursor ?? '' });
      expect(first.users).toHaveLength(2);
      expect([...first.users, ...second.users].map(({ user }) => user).toSorted()).toEqual(users.toSorted());
      expect(second.nextCursor).toBeNull();
    });

    it('keep what runs when their type is lowered below it, and get nothing new', async () => {
      const user = newId();
      await putUser(deps, user, { type: 'enterprise', limits: {} });
      for (let made = 0; made < 6; made += 1) await admit(deps, user);
      const lowered = await putUser(deps, user, { type: 'normal', limits: {} });
      expect(lowered.usage).toMatchObject({ sessions: 6, cpu: 1.5 });
      expect(await refusal(admit(deps, user))).toMatchObject({
        code: 'quota_exceeded',
        extensions: { limit: 'sessions', allowed: 5, used: 6, requested: 1 },
      });
      expect((await getUser(deps, as(user), user)).usage.sessions).toBe(6);
    });

    it('get no more time for what runs than they may have now, nor any once they were deleted', async () => {
      const user = newId();
      await putUser(deps, user, { type: 'enterprise', limits: {} });
      const { id } = await admit(deps, user);
      const extend = (minutes: number): Promise<SessionDocument> => updateSession(deps, id, { ttl_minutes: minutes }, bySystem);
      const lowered = { type: 'normal', limits: { ttl_minutes: 70 } } as const;
      expect((await extend(120)).ttl_minutes).toBe(120);
      await putUser(deps, user, lowered);
      expect(await refusal(extend(130))).toMatchObject({ code: 'quota_exceeded', extensions: { limit: 'ttl_minutes', allowed: 70 } });
      expect((await extend(60)).ttl_minutes).toBe(60);
      expect((await extend(70)).ttl_minutes).toBe(70);
      const stored = await store.get<UserDocument>(userKey(user));
      await store.update(userKey(user), { ...stored?.data, deleted_at: testNow.toISOString() }, stored?.version ?? '');
      expect((await refusal(extend(71)))?.code).toBe('user_deleted');
    });

    it('are not deleted while they have something, unless everything is to end', async () => {
      const user = newId();
      const [session, volume] = [await admit(deps, user), await giveVolume(deps, user)];
      expect(await refusal(deleteUser(deps, admin, user, { force: false }))).toMatchObject({
        code: 'user_in_use',
        extensions: { sessions: [session.id], volumes: [volume.id] },
      });
      expect((await getUser(deps, admin, user)).deleted_at).toBeNull();
    });

    it('end with their sessions, volumes, keys and what was shared with them', async () => {
      const [user, friend] = [newId(), newId()];
      await putUser(deps, friend, { type: 'pro', limits: {} });
      const shared = await admit(deps, friend);
      await putGrant(deps, as(friend), 'session', shared.id, { user, access: 'write' });
      const [session, volume] = [await admit(deps, user), await giveVolume(deps, user)];
      const { document: key } = await createKey(deps, { kind: 'user', user, name: null, expiresAt: null });
      const { webhook } = await createWebhook(deps, as(user), { url: 'https://example.com/hook' });

      const deleted = await deleteUser(deps, admin, user, { force: true });
      expect(deleted).toEqual({ sessions: [session.id], volumes: [volume.id], snapshots: [], keys: [key.id] });
      expect((await store.get<SessionDocument>(sessionKey(session.id)))?.data).toMatchObject({
        status: 'terminating',
        preserve_data: false,
      });
      expect((await store.get<VolumeDocument>(volumeKey(volume.id)))?.data).toMatchObject({ status: 'deleting', retain: false });
      expect((await findKey(store, key.id))?.revoked_at).toBe(testNow.toISOString());
      expect((await refusal(getWebhook(deps, admin, webhook.id)))?.code).toBe('not_found');
      expect((await store.get<SessionDocument>(sessionKey(shared.id)))?.data.grants).toEqual({});
      // The cluster is away, so the sessions' own tasks finish it.
      expect(deps.tasks.some(({ target, payload }) => target === 'expire' && payload['session_id'] === session.id)).toBe(true);
      expect((await refusal(admit(deps, user)))?.code).toBe('user_deleted');
      expect((await getUser(deps, admin, user)).deleted_at).toBe(testNow.toISOString());
    });

    it('are deleted any number of times, and are users again once they are set up anew', async () => {
      const user = newId();
      for (let time = 0; time < 2; time += 1) {
        expect(await deleteUser(deps, admin, user, { force: false })).toEqual({ sessions: [], volumes: [], snapshots: [], keys: [] });
      }
      await putUser(deps, user, { type: 'pro', limits: {} });
      expect((await admit(deps, user)).user_type).toBe('pro');
    });

    it('do not delete themselves: their key would end under their hands', async () => {
      expect((await refusal(deleteUser(deps, admin, 'root', { force: true })))?.code).toBe('validation_failed');
    });

    it('are deleted at once, however many sessions they have and however slow the cluster is', async () => {
      const user = newId();
      await putUser(deps, user, { type: 'enterprise', limits: {} });
      const sessions = await Promise.all(Array.from({ length: 60 }, () => admit(deps, user)));
      const volume = await giveVolume(deps, user);
      const hanging: StoreDeps = { ...deps, kubernetes: () => new Promise(() => undefined) };
      const deleted = await deleteUser(hanging, admin, user, { force: true });
      expect(deleted.sessions.toSorted()).toEqual(sessions.map(({ id }) => id).toSorted());
      expect((await store.get<VolumeDocument>(volumeKey(volume.id)))?.data.status).toBe('deleting');
      for (const { id } of sessions) {
        expect((await store.get<SessionDocument>(sessionKey(id)))?.data.status).toBe('terminating');
        expect(deps.tasks.some(({ target, payload }) => target === 'expire' && payload['session_id'] === id)).toBe(true);
      }
    });

    it('have no keys any more, whenever those are made', async () => {
      const user = newId();
      const newKey = () => createKey(deps, { kind: 'user', user, name: null, expiresAt: null });
      const makers = Promise.allSettled(Array.from({ length: 8 }, newKey));
      const deleted = await deleteUser(deps, admin, user, { force: false });
      const made = (await makers).flatMap((each) => (each.status === 'fulfilled' ? [each.value.document.id] : []));
      expect(deleted.keys.toSorted()).toEqual(made.toSorted());
      for (const id of made) expect((await findKey(store, id))?.revoked_at).not.toBeNull();
      expect((await refusal(newKey()))?.code).toBe('user_deleted');
    });

    it('are looked at by the sweep until nothing of them is left, and not again', async () => {
      const user = newId();
      const session = await admit(deps, user);
      await deleteUser(deps, admin, user, { force: true });
      const look = async (): Promise<string | null | undefined> => {
        await sweepDeletedUsers(deps, new Tally(deps, false));
        return (await store.get<UserDocument>(userKey(user)))?.data.due_at;
      };
      expect(await look()).toBe(new Date(testNow.getTime() + 60_000).toISOString());
      await changeSession(deps, session.id, { type: 'released' });
      now = new Date(testNow.getTime() + 60_000);
      expect(await look()).toBeNull();
      now = testNow;
      await putUser(deps, user, { type: 'pro', limits: {} });
      expect((await store.get<UserDocument>(userKey(user)))?.data).not.toHaveProperty('due_at');
    });

    it('are ended by the sweep where whoever deleted them has died in between', async () => {
      const user = newId();
      const session = await admit(deps, user);
      const stored = await store.get<UserDocument>(userKey(user));
      if (stored === undefined) throw new Error('there is no user');
      const marked = await store.update(stored.key, { ...stored.data, deleted_at: testNow.toISOString() }, stored.version);
      expect(await repairUsage(deps, marked)).toBe(true);
      expect((await store.get<SessionDocument>(sessionKey(session.id)))?.data.status).toBe('terminating');
    });
  });
}
