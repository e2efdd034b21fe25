/**
 * Volumes in the store: many at once, on every store there is.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AppError } from '../../shared/errors/app-error.ts';
import { newId } from '../../shared/ids.ts';
import type { DocumentStore } from '../../shared/documents/port.ts';
import { usageOf } from '../../shared/entitlements/admit.ts';
import type { UserDocument } from '../../shared/entitlements/model.ts';
import type { NamespaceDocument } from '../../shared/namespaces/model.ts';
import { kubernetesNamespace, ownNamespace } from '../../shared/namespaces/names.ts';
import { admitSession } from '../../shared/sessions/admission.ts';
import { namespaceKey, userKey, volumeKey } from '../../shared/sessions/collections.ts';
import { createSessionSchema } from '../../shared/sessions/create-request.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { changeVolume } from '../../shared/storage/change.ts';
import { left } from '../../shared/storage/lifecycle.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';
import { volumeId } from '../../shared/storage/names.ts';
import { listVolumes } from '../../shared/storage/list.ts';
import { requestedVolumes } from '../../shared/storage/requests.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { sessionDocument, testNow } from '../fakes/session-document.ts';
import { storeDeps, type StoreDeps } from '../fakes/store-deps.ts';

const AT_ONCE = 20;

for (const { name, missing, start } of implementations) {
  if (missing !== undefined) console.warn(missing);
  describe.skipIf(missing !== undefined)(`volumes on ${name}`, () => {
    let fixture: StoreFixture;
    let store: DocumentStore;
    let deps: StoreDeps;
    beforeAll(async () => {
      fixture = start();
      store = await fixture.open();
      deps = storeDeps(store);
    });
    afterAll(() => fixture.close());

    function newSession(user: string): SessionDocument {
      const namespace = ownNamespace(user);
      const k8s_namespace = kubernetesNamespace('berth', deps.installation, namespace);
      return sessionDocument({ id: newId(), user, namespace, k8s_namespace, status: 'creating' });
    }

    async function admit(session: SessionDocument, body: object): Promise<SessionDocument | string> {
      const volumes = requestedVolumes(createSessionSchema.parse(body));
      try {
        return (await admitSession(deps, { session, volumes, userType: 'pro', idempotency: undefined })).session;
      } catch (error) {
        if (error instanceof AppError) return [error.code, error.extensions['limit']].filter((part) => typeof part === 'string').join(' ');
        throw error;
      }
    }

    async function holds(user: string): Promise<UserDocument['holds']> {
      return (await store.get<UserDocument>(userKey(user)))?.data.holds ?? {};
    }

    it('of one name are one, however many ask for it at once, and count once', { timeout: 60_000 }, async () => {
      const user = `one-${newId()}`;
      const sessions = Array.from({ length: AT_ONCE }, () => newSession(user));
      const body = { volumes: [{ name: 'data', mount_path: '/data', size_gb: 5 }] };
      const admitted = await Promise.all(sessions.map((session) => admit(session, body)));
      expect(admitted.filter((outcome) => typeof outcome === 'string')).toEqual([]);
      const id = volumeId(ownNamespace(user), 'persistent_volume', 'data');
      const volume = (await store.get<VolumeDocument>(volumeKey(id)))?.data;
      expect(Object.keys(volume?.sessions ?? {}).toSorted()).toEqual(sessions.map((session) => session.id).toSorted());
      expect(usageOf(await holds(user))).toMatchObject({ sessions: AT_ONCE, pvcs: 1, storage_gb: 5 });
      const namespace = (await store.get<NamespaceDocument>(namespaceKey(ownNamespace(user))))?.data;
      expect(namespace?.volumes).toEqual({ [id]: true });
    });

    it('are as many as the limit allows, and not one more', { timeout: 60_000 }, async () => {
      const user = `limit-${newId()}`;
      const admitted = await Promise.all(
        Array.from({ length: AT_ONCE }, () => admit(newSession(user), { request_persistent_storage: true })),
      );
      expect(admitted.filter((outcome) => typeof outcome !== 'string')).toHaveLength(3);
      expect(admitted.filter((outcome) => outcome === 'quota_exceeded pvcs')).toHaveLength(AT_ONCE - 3);
      expect(usageOf(await holds(user))).toMatchObject({ sessions: 3, pvcs: 3, storage_gb: 30 });
    });

    it('are refused with everything else of the create where one of them is unknown', async () => {
      const user = `unknown-${newId()}`;
      const body = {
        volumes: [
          { name: 'new', mount_path: '/a' },
          { volume_id: '0'.repeat(32), mount_path: '/b' },
        ],
      };
      expect(await admit(newSession(user), body)).toBe('unknown_volume');
      expect(await holds(user)).toEqual({});
      expect((await listVolumes(deps, { keyId: 'k', kind: 'user', user, requestId: 'r' }, { limit: 10 })).volumes).toEqual([]);
    });

    it('go with the last of their sessions, whoever leaves at the same time', { timeout: 60_000 }, async () => {
      const user = `leave-${newId()}`;
      const sessions = Array.from({ length: 5 }, () => newSession(user));
      await Promise.all(sessions.map((session) => admit(session, { volumes: [{ name: 'data', mount_path: '/data' }] })));
      const id = volumeId(ownNamespace(user), 'persistent_volume', 'data');
      const after = await Promise.all(sessions.map((session) => changeVolume(deps, id, (volume) => left(volume, session, false, testNow))));
      expect(after.filter((volume) => volume?.status === 'deleting')).toHaveLength(1);
      expect((await store.get<VolumeDocument>(volumeKey(id)))?.data).toMatchObject({ status: 'deleting', sessions: {} });
    });

    it('are listed by page, newest first, by namespace and type, and not any more when they are gone', { timeout: 60_000 }, async () => {
      const user = `list-${newId()}`;
      const caller = { keyId: 'k', kind: 'user', user, requestId: 'r' } as const;
      const made = new Map<string, string>();
      for (const [index, volume] of ['a', 'b', 'c'].entries()) {
        const at = storeDeps(store, { now: () => new Date(testNow.getTime() + index * 1000) });
        const volumes = requestedVolumes(createSessionSchema.parse({ volumes: [{ name: volume, mount_path: '/data' }] }));
        await admitSession(at, { session: newSession(user), volumes, userType: 'pro', idempotency: undefined });
        made.set(volume, volumeId(ownNamespace(user), 'persistent_volume', volume));
      }
      const names = async (filters: object): Promise<readonly string[]> =>
        (await listVolumes(deps, caller, { limit: 10, ...filters })).volumes.map((volume) => volume.name);
      expect(await names({})).toEqual(['c', 'b', 'a']);
      expect(await names({ type: 'gcs_fuse' })).toEqual([]);
      expect(await names({ namespace: ownNamespace(user), type: 'persistent_volume' })).toEqual(['c', 'b', 'a']);
      expect(await names({ user: 'somebody-else' })).toEqual([]);
      const first = await listVolumes(deps, caller, { limit: 2 });
      expect(first.volumes.map((volume) => volume.name)).toEqual(['c', 'b']);
      const second = await listVolumes(deps, caller, { limit: 2, ...(first.nextCursor !== null && { cursor: first.nextCursor }) });
      expect([second.volumes.map((volume) => volume.name), second.nextCursor]).toEqual([['a'], null]);
      await changeVolume(deps, made.get('b') ?? '', (volume) => ({ ...volume, status: 'deleted' }));
      expect(await names({})).toEqual(['c', 'a']);
    });
  });
}
