/**
 * Sharing sessions, volumes and namespaces, on every store there is.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { deleteGrant, listGrants, putGrant } from '../../shared/auth/share.ts';
import type { DocumentStore } from '../../shared/documents/port.ts';
import { deleteUser } from '../../shared/entitlements/delete-user.ts';
import { putUser } from '../../shared/entitlements/users.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { newId } from '../../shared/ids.ts';
import { listNamespaces } from '../../shared/namespaces/list.ts';
import type { NamespaceDocument } from '../../shared/namespaces/model.ts';
import { admitSession } from '../../shared/sessions/admission.ts';
import { changeSession } from '../../shared/sessions/change.ts';
import { namespaceKey, volumeKey } from '../../shared/sessions/collections.ts';
import { getSession, listSessions } from '../../shared/sessions/list.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { sessionDocument, testNow } from '../fakes/session-document.ts';
import { storeDeps, type StoreDeps } from '../fakes/store-deps.ts';
import { volumeDocument } from '../fakes/volume-document.ts';

const as = (user: string): Caller => ({ keyId: `k-${user}`, kind: 'user', user, requestId: 'r' });
const admin: Caller = { keyId: 'k-admin', kind: 'admin', user: null, requestId: 'r' };

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'allowed',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );
}

for (const { name, missing, start } of implementations) {
  describe.skipIf(missing !== undefined)(missing ?? `sharing in ${name}`, () => {
    let fixture: StoreFixture;
    let store: DocumentStore;
    let deps: StoreDeps;
    /** A later time for each thing, so that their order in lists is known. */
    let seconds = 0;
    beforeAll(async () => {
      fixture = start();
      store = await fixture.open();
      deps = storeDeps(store, { now: () => new Date(testNow.getTime() + (seconds += 1) * 1000) });
    });
    afterAll(async () => fixture.close());

    async function newUser(type: 'normal' | 'pro' = 'pro'): Promise<string> {
      const user = newId();
      await putUser(deps, user, { type, limits: {} });
      return user;
    }

    async function admit(user: string, namespace = `u-${user}`): Promise<SessionDocument> {
      const id = newId();
      const fields = { id, user, namespace, k8s_namespace: `berth-${namespace}`, pod_name: `berth-${id}`, pod_uid: null };
      const created_at = deps.clock.now().toISOString();
      const session = sessionDocument({ ...fields, created_at, status: 'creating', started_at: null });
      return (await admitSession(deps, { session, userType: undefined, idempotency: undefined })).session;
    }

    const listed = async (user: string, filters: object = {}): Promise<readonly string[]> =>
      (await listSessions(deps, as(user), { labels: {}, limit: 50, shared: true, ...filters })).sessions.map(({ id }) => id);

    const namespacesSharedWith = async (user: string): Promise<readonly NamespaceDocument[]> =>
      (await listNamespaces(deps, as(user), { shared: true, limit: 50 })).namespaces;

    it('lets a user in as far as was granted, and no further', async () => {
      const [alice, bob] = [await newUser(), await newUser()];
      const { id } = await admit(alice);
      expect(await codeOf(getSession(deps, as(bob), id))).toBe('not_found');

      await putGrant(deps, as(alice), 'session', id, { user: bob, access: 'read' });
      expect((await getSession(deps, as(bob), id)).id).toBe(id);
      expect(await codeOf(getSession(deps, as(bob), id, 'write'))).toBe('forbidden');

      await putGrant(deps, as(alice), 'session', id, { user: bob, access: 'write' });
      expect(await codeOf(getSession(deps, as(bob), id, 'write'))).toBe('allowed');
      expect(await codeOf(getSession(deps, as(bob), id, 'owner'))).toBe('forbidden');
      expect(await codeOf(putGrant(deps, as(bob), 'session', id, { user: 'carol', access: 'read' }))).toBe('forbidden');
      expect(await codeOf(deleteGrant(deps, as(bob), 'session', id, 'carol'))).toBe('forbidden');

      expect(await deleteGrant(deps, as(alice), 'session', id, bob)).toBe(alice);
      await deleteGrant(deps, as(alice), 'session', id, bob);
      expect(await codeOf(getSession(deps, as(bob), id))).toBe('not_found');
    });

    it('is given up by the user who got it, as nobody else can', async () => {
      const [alice, bob] = [await newUser(), await newUser()];
      const { id } = await admit(alice);
      expect(await codeOf(deleteGrant(deps, as(bob), 'session', id, bob))).toBe('not_found');
      await putGrant(deps, as(alice), 'session', id, { user: bob, access: 'read' });
      await deleteGrant(deps, as(bob), 'session', id, bob);
      expect(await codeOf(getSession(deps, as(bob), id))).toBe('not_found');
      expect(await listed(bob)).toEqual([]);
    });

    it('shows the grants to the owner, and to others their own alone', async () => {
      const [alice, bob, carol] = [await newUser(), await newUser(), await newUser()];
      const { id } = await admit(alice);
      await putGrant(deps, as(alice), 'session', id, { user: bob, access: 'read' });
      await putGrant(deps, admin, 'session', id, { user: carol, access: 'write' });
      expect(await listGrants(deps, as(alice), 'session', id)).toHaveLength(2);
      expect(await listGrants(deps, as(bob), 'session', id)).toEqual([{ user: bob, access: 'read' }]);
      expect(await codeOf(listGrants(deps, as('stranger'), 'session', id))).toBe('not_found');
      expect(await codeOf(listGrants(deps, as(alice), 'session', newId()))).toBe('not_found');
    });

    it('needs the owner’s right to share, whoever grants; withdrawing needs none', async () => {
      const [alice, bob] = [await newUser(), await newUser()];
      const { id } = await admit(alice);
      await putGrant(deps, as(alice), 'session', id, { user: bob, access: 'read' });
      await putUser(deps, alice, { type: 'normal', limits: {} });
      for (const caller of [as(alice), admin]) {
        expect(await codeOf(putGrant(deps, caller, 'session', id, { user: 'carol', access: 'read' }))).toBe('not_entitled');
      }
      expect(await codeOf(deleteGrant(deps, as(alice), 'session', id, bob))).toBe('allowed');
      await putUser(deps, alice, { type: 'normal', limits: { share: true } });
      expect(await codeOf(putGrant(deps, as(alice), 'session', id, { user: bob, access: 'read' }))).toBe('allowed');
    });

    it('is not for the owner, for users who were deleted, or for what has ended', async () => {
      const [alice, gone] = [await newUser(), await newUser()];
      const { id } = await admit(alice);
      await deleteUser(deps, admin, gone, { force: false });
      expect(await codeOf(putGrant(deps, as(alice), 'session', id, { user: alice, access: 'read' }))).toBe('validation_failed');
      expect(await codeOf(putGrant(deps, as(alice), 'session', id, { user: gone, access: 'read' }))).toBe('validation_failed');
      await changeSession(deps, id, { type: 'delete' });
      expect(await codeOf(putGrant(deps, as(alice), 'session', id, { user: 'bob', access: 'read' }))).toBe('invalid_state');
    });

    it('keeps every grant of many that are made at once', { timeout: 30_000 }, async () => {
      const alice = await newUser();
      const { id } = await admit(alice);
      const users = Array.from({ length: 20 }, (_, index) => `friend-${String(index)}`);
      await Promise.all(users.map((user) => putGrant(deps, as(alice), 'session', id, { user, access: 'read' })));
      expect((await listGrants(deps, as(alice), 'session', id)).map(({ user }) => user)).toEqual(users.toSorted());
    });

    it('lists what is shared with a user, newest first, page by page and filtered, and nothing else', async () => {
      const [alice, bob] = [await newUser(), await newUser()];
      const [first, second, third, own] = [await admit(alice), await admit(alice), await admit(alice), await admit(bob)];
      for (const { id } of [first, second]) await putGrant(deps, as(alice), 'session', id, { user: bob, access: 'read' });
      expect(await listed(bob)).toEqual([second.id, first.id]);
      expect(await listed(bob, { user: alice, status: 'creating' })).toEqual([second.id, first.id]);
      expect(await listed(bob, { user: 'carol' })).toEqual([]);
      expect(await listed(bob, { status: 'running' })).toEqual([]);
      const page = await listSessions(deps, as(bob), { labels: {}, limit: 1, shared: true });
      expect(page.sessions.map(({ id }) => id)).toEqual([second.id]);
      expect(await listed(bob, { limit: 1, cursor: page.nextCursor })).toEqual([first.id]);
      const others = await listSessions(deps, admin, { labels: {}, limit: 50, shared: true, user: bob });
      expect(others.sessions.map(({ id }) => id)).toEqual([second.id, first.id]);
      const mine = await listSessions(deps, as(bob), { labels: {}, limit: 50 });
      expect(mine.sessions.map(({ id }) => id)).toEqual([own.id]);
      expect(await codeOf(getSession(deps, as(bob), third.id))).toBe('not_found');
    });

    it('of a namespace lets users in, to what lies in it, and to put their own there', async () => {
      const [alice, bob, carol] = [await newUser(), await newUser(), await newUser()];
      const namespace = `team-${newId()}`;
      const session = await admit(alice, namespace);
      expect(await codeOf(admit(bob, namespace))).toBe('namespace_taken');
      await putGrant(deps, as(alice), 'namespace', namespace, { user: bob, access: 'write' });
      await putGrant(deps, as(alice), 'namespace', namespace, { user: carol, access: 'read' });

      const ofBob = await admit(bob, namespace);
      expect(await codeOf(admit(carol, namespace))).toBe('namespace_taken');
      expect(await codeOf(getSession(deps, as(bob), session.id, 'write'))).toBe('allowed');
      expect(await codeOf(getSession(deps, as(carol), session.id, 'write'))).toBe('forbidden');
      // The namespace's owner may use what others put there, and not end it.
      expect(await codeOf(getSession(deps, as(alice), ofBob.id, 'write'))).toBe('allowed');
      expect(await codeOf(getSession(deps, as(alice), ofBob.id, 'owner'))).toBe('forbidden');
      expect(await listed(carol, { namespace })).toEqual([ofBob.id, session.id]);
      expect(await listed(carol, { namespace: 'elsewhere' })).toEqual([]);
      expect(await listed(await newUser(), { namespace })).toEqual([]);
      expect((await namespacesSharedWith(carol)).map((each) => [each.namespace, each.owner])).toEqual([[namespace, alice]]);
      expect((await listNamespaces(deps, as(carol), { limit: 50 })).namespaces).toEqual([]);
      expect((await store.get<NamespaceDocument>(namespaceKey(namespace)))?.data.owner).toBe(alice);
    });

    it('of a namespace is no way to what has left it, for whoever owns the name next', async () => {
      const [alice, bob] = [await newUser(), await newUser()];
      const namespace = `name-${newId()}`;
      const failed = await admit(alice, namespace);
      await changeSession(deps, failed.id, { type: 'start_failed', reason: 'ErrImagePull: no such image' });
      await admit(bob, namespace);
      expect((await store.get<NamespaceDocument>(namespaceKey(namespace)))?.data.owner).toBe(bob);
      expect(await codeOf(getSession(deps, as(bob), failed.id))).toBe('not_found');
      expect(await listed(bob, { namespace })).not.toContain(failed.id);
    });

    it('of a namespace ends when the name changes hands', async () => {
      const [alice, bob, carol] = [await newUser(), await newUser(), await newUser()];
      const namespace = `name-${newId()}`;
      const { id } = await admit(alice, namespace);
      await putGrant(deps, as(alice), 'namespace', namespace, { user: bob, access: 'write' });
      await changeSession(deps, id, { type: 'start_failed', reason: 'ErrImagePull: no such image' });
      await admit(carol, namespace);
      expect(await codeOf(admit(bob, namespace))).toBe('namespace_taken');
      expect(await namespacesSharedWith(bob)).toEqual([]);
    });

    it('of a volume is written in the volume', async () => {
      const [alice, bob] = [await newUser(), await newUser()];
      const volume = volumeDocument({ id: newId(), user: alice, namespace: `u-${alice}` });
      await store.create(volumeKey(volume.id), volume);
      expect(await codeOf(listGrants(deps, as(bob), 'volume', volume.id))).toBe('not_found');
      await putGrant(deps, as(alice), 'volume', volume.id, { user: bob, access: 'read' });
      expect(await listGrants(deps, as(bob), 'volume', volume.id)).toEqual([{ user: bob, access: 'read' }]);
      const after = await store.get<typeof volume>(volumeKey(volume.id));
      expect(after?.data).toMatchObject({ grants: { [bob]: 'read' }, due_at: null, status: 'ready' });
    });
  });
}
