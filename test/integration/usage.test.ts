/**
 * What users hold: never more than they may under any concurrency, and put right from what exists, on every store there is.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { grantKey, type GrantDocument } from '../../shared/auth/grants.ts';
import { putGrant } from '../../shared/auth/share.ts';
import type { DocumentStore, StoredDocument } from '../../shared/documents/port.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import { repairUsage } from '../../shared/entitlements/repair.ts';
import { getUser, putUser } from '../../shared/entitlements/users.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { newId } from '../../shared/ids.ts';
import { admitSession } from '../../shared/sessions/admission.ts';
import { changeSession } from '../../shared/sessions/change.ts';
import { sessionKey, userKey } from '../../shared/sessions/collections.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { countReads } from '../fakes/counting-store.ts';
import { sessionDocument } from '../fakes/session-document.ts';
import { storeDeps, type StoreDeps } from '../fakes/store-deps.ts';

const as = (user: string): Caller => ({ keyId: `k-${user}`, kind: 'user', user, requestId: 'r' });

async function admit(deps: StoreDeps, user: string): Promise<SessionDocument> {
  const id = newId();
  const fields = { id, user, namespace: `u-${user}`, k8s_namespace: `berth-u-${user}`, pod_name: `berth-${id}`, pod_uid: null };
  const session = sessionDocument({ ...fields, status: 'creating', started_at: null });
  return (await admitSession(deps, { session, userType: undefined, idempotency: undefined })).session;
}

for (const { name, missing, start } of implementations) {
  describe.skipIf(missing !== undefined)(missing ?? `usage in ${name}`, () => {
    let fixture: StoreFixture;
    let store: DocumentStore;
    let deps: StoreDeps;
    beforeAll(async () => {
      fixture = start();
      store = await fixture.open();
      deps = storeDeps(store);
    });
    afterAll(async () => fixture.close());

    async function stored(user: string): Promise<StoredDocument<UserDocument>> {
      const document = await store.get<UserDocument>(userKey(user));
      if (document === undefined) throw new Error(`there is no user ${user}`);
      return document;
    }

    it('lets one of a hundred simultaneous creates through where one is allowed', { timeout: 60_000 }, async () => {
      const user = newId();
      await putUser(deps, user, { type: 'normal', limits: { sessions: 1 } });
      const outcomes = await Promise.all(
        Array.from({ length: 100 }, () =>
          admit(deps, user).then(
            () => 'admitted',
            (error: unknown) => (error instanceof AppError ? error.code : String(error)),
          ),
        ),
      );
      const count = (outcome: string): number => outcomes.filter((each) => each === outcome).length;
      expect([count('admitted'), count('quota_exceeded')]).toEqual([1, 99]);
      expect((await getUser(deps, as(user), user)).usage).toMatchObject({ sessions: 1, cpu: 0.25, memory_gb: 0.5 });
    });

    it('follows what is admitted and released', async () => {
      const user = newId();
      const [first] = [await admit(deps, user), await admit(deps, user)];
      const used = async (): Promise<number> => (await getUser(deps, as(user), user)).usage.sessions;
      expect(await used()).toBe(2);
      await changeSession(deps, first.id, { type: 'start_failed', reason: 'ErrImagePull: no such image' });
      expect(await used()).toBe(1);
      await changeSession(deps, first.id, { type: 'delete' });
      await changeSession(deps, first.id, { type: 'released' });
      expect(await used()).toBe(1);
    });

    it('is put right from what exists, and left alone where it is right', async () => {
      const user = newId();
      const session = await admit(deps, user);
      const before = await stored(user);
      expect(await repairUsage(deps, before)).toBe(false);
      expect((await stored(user)).version).toBe(before.version);

      const broken = { ...before.data, holds: { 'session-gone': { sessions: 1, cpu: 2 }, 'volume-gone': { pvcs: 1, storage_gb: 10 } } };
      expect(await repairUsage(deps, await store.update(before.key, broken, before.version))).toBe(true);
      expect((await stored(user)).data.holds).toEqual({ [`session-${session.id}`]: { sessions: 1, cpu: 0.25, memory_gb: 0.5 } });
    });

    it('is not put right with what was seen before somebody was admitted', async () => {
      const user = newId();
      await admit(deps, user);
      const seen = await stored(user);
      const stale = { ...seen, data: { ...seen.data, holds: {} } };
      const second = await admit(deps, user);
      expect(await repairUsage(deps, stale)).toBe(false);
      expect(Object.keys((await stored(user)).data.holds)).toContain(`session-${second.id}`);
      expect((await getUser(deps, as(user), user)).usage.sessions).toBe(2);
    });

    it('leaves what was shared anew while it was looking', async () => {
      const user = newId();
      await putUser(deps, user, { type: 'pro', limits: {} });
      const session = await admit(deps, user);
      await putGrant(deps, as(user), 'session', session.id, { user: 'bob', access: 'read' });
      await store.delete(sessionKey(session.id));
      const key = grantKey('session', session.id, 'bob');
      const rival: DocumentStore = {
        ...countReads(store),
        delete: async (deleted, version) => {
          const grant = await store.get<GrantDocument>(key);
          if (grant !== undefined && deleted.id === key.id) await store.update(key, { ...grant.data, access: 'write' }, grant.version);
          return store.delete(deleted, version);
        },
      };
      expect(await repairUsage({ ...deps, store: rival }, await stored(user))).toBe(true);
      expect((await store.get<GrantDocument>(key))?.data.access).toBe('write');
    });

    it('forgets what was shared of things that are gone', async () => {
      const user = newId();
      await putUser(deps, user, { type: 'pro', limits: {} });
      const [kept, gone] = [await admit(deps, user), await admit(deps, user)];
      for (const { id } of [kept, gone]) await putGrant(deps, as(user), 'session', id, { user: 'bob', access: 'read' });
      await store.delete(sessionKey(gone.id));
      expect(await repairUsage(deps, await stored(user))).toBe(true);
      expect(await store.get<GrantDocument>(grantKey('session', gone.id, 'bob'))).toBeUndefined();
      expect((await store.get<GrantDocument>(grantKey('session', kept.id, 'bob')))?.data.access).toBe('read');
    });
  });
}
