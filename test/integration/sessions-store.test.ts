/**
 * What the store has of sessions that end, fail and are used, and of what they mount: on every store there is, with the cluster away.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { createServices } from '../../shared/create-services.ts';
import type { DocumentKey } from '../../shared/documents/port.ts';
import type { NamespaceDocument } from '../../shared/namespaces/model.ts';
import { newId } from '../../shared/ids.ts';
import { createActivityNotes, readActivity } from '../../shared/sessions/activity.ts';
import type { Anchor } from '../../shared/sessions/anchors.ts';
import { changeSession, readSession } from '../../shared/sessions/change.ts';
import { namespaceKey, sessionKey, volumeKey } from '../../shared/sessions/collections.ts';
import { createSession } from '../../shared/sessions/create.ts';
import { deleteAnchored } from '../../shared/sessions/delete-anchored.ts';
import { ensureAnchored, findAnchored, getAnchored } from '../../shared/sessions/ensure-anchored.ts';
import { ensureExpireTask } from '../../shared/sessions/expire-task.ts';
import { lookForActivity } from '../../shared/sessions/idle.ts';
import { getSession, listSessions } from '../../shared/sessions/list.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { ensureSweptProvision } from '../../shared/sessions/provision-task.ts';
import { changeToStart } from '../../shared/sessions/readmit.ts';
import { changeVolume } from '../../shared/storage/change.ts';
import { failed, gone, readied } from '../../shared/storage/lifecycle.ts';
import type { VolumeDocument } from '../../shared/storage/model.ts';
import { findVolume } from '../../shared/storage/read.ts';
import { releaseVolumes } from '../../shared/storage/release.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { codeOf } from '../fakes/lifecycle-suite.ts';
import { testNow } from '../fakes/session-document.ts';
import { storeDeps, type StoreDeps } from '../fakes/store-deps.ts';

const atOnce = { waitSeconds: 0 };
const MINUTE_MS = 60_000;
const by = { by: 'test', key_id: null, request_id: null };

for (const { name, missing, start } of implementations) {
  describe.skipIf(missing !== undefined)(missing ?? `sessions in ${name}`, () => {
    let fixture: StoreFixture;
    let deps: StoreDeps;
    let caller: Caller;
    let project: Anchor;
    let now = testNow;

    beforeAll(async () => {
      fixture = start();
      deps = storeDeps(await fixture.open(), { now: () => now, env: { BERTH_DEFAULT_USER_TYPE: 'pro' } });
    });
    afterAll(async () => fixture.close());
    beforeEach(() => {
      now = testNow;
      const user = newId();
      caller = { keyId: `k-${user}`, kind: 'user', user, requestId: 'r' };
      project = { kind: 'project', id: newId() };
    });

    async function read(id: string): Promise<SessionDocument> {
      const stored = await readSession(deps, id);
      if (stored === undefined) throw new Error(`there is no session ${id}`);
      return stored.data;
    }

    async function volumeOf(session: SessionDocument): Promise<VolumeDocument> {
      const stored = await deps.store.get<VolumeDocument>(volumeKey(session.spec.volumes[0]?.volume_id ?? ''));
      if (stored === undefined) throw new Error(`the volume of ${session.id} is unknown`);
      return stored.data;
    }

    async function running(id: string): Promise<void> {
      await changeSession(deps, id, { type: 'pod_ready', podUid: `uid-${id}`, nodeName: null, channel: 'exec' });
    }

    async function overwrite(key: DocumentKey, data: object): Promise<void> {
      await deps.store.transact([key], () => ({ writes: [{ type: 'set', key, data }], result: undefined }));
    }

    /** As when its pod is gone. */
    async function released(id: string): Promise<void> {
      const session = await read(id);
      await releaseVolumes(deps, session, { preserve: session.preserve_data }).catch(() => undefined);
      await changeSession(deps, id, { type: 'released' });
    }

    /** The project has data that is to stay, and no session. */
    async function withData(): Promise<VolumeDocument> {
      const { session } = await ensureAnchored(deps, caller, project, {}, atOnce);
      await changeVolume(deps, session.spec.volumes[0]?.volume_id ?? '', (volume) => readied(volume, now));
      await deleteAnchored(deps, caller, project, true);
      await released(session.id);
      const volume = await volumeOf(session);
      expect(volume).toMatchObject({ status: 'ready', retain: true, sessions: {} });
      return volume;
    }

    async function newest(): Promise<SessionDocument> {
      const { sessions } = await listSessions(deps, caller, { labels: {}, limit: 100 });
      const [ending] = sessions.filter(({ status }) => status === 'terminating');
      if (ending === undefined) throw new Error('no session ends');
      return ending;
    }

    describe('a create that is answered with an error', () => {
      it('leaves the data of the project as it was, whatever it asked for', async () => {
        for (const preserve_data of [false, true]) {
          const before = await withData();
          expect(await codeOf(ensureAnchored(deps, caller, project, { preserve_data }, { waitSeconds: 5 }))).toBe('cluster_unavailable');
          const undone = await newest();
          expect(Object.keys((await volumeOf(undone)).sessions)).toEqual([undone.id]);
          await released(undone.id);
          expect(await volumeOf(undone)).toMatchObject({ id: before.id, status: 'ready', retain: true, sessions: {} });
        }
      });

      it('takes the volume that it made, also one that was to stay', async () => {
        const request = { volumes: [{ name: 'data', mount_path: '/data', type: 'persistent_volume' as const, retain: true }] };
        expect(await codeOf(ensureAnchored(deps, caller, project, request, { waitSeconds: 5 }))).toBe('cluster_unavailable');
        const undone = await newest();
        await released(undone.id);
        for (const { volume_id: id } of undone.spec.volumes) {
          expect((await deps.store.get<VolumeDocument>(volumeKey(id)))?.data).toMatchObject({ status: 'deleting', sessions: {} });
        }
        expect(undone.spec.volumes.length).toBeGreaterThan(0);
      });
    });

    describe('data that is not to stay', () => {
      it('is nobody’s any more from the moment on that its session begins to end', async () => {
        const { session } = await ensureAnchored(deps, caller, project, {}, atOnce);
        await running(session.id);
        await deleteAnchored(deps, caller, project, false);
        expect(await codeOf(ensureAnchored(deps, caller, project, {}, atOnce))).toBe('volume_deleting');
        const waiting = ensureAnchored(deps, caller, project, {}, { waitSeconds: 20 });
        await released(session.id);
        expect(await volumeOf(session)).toMatchObject({ status: 'deleting' });
        await changeVolume(deps, session.spec.volumes[0]?.volume_id ?? '', (volume) => gone(volume, now));
        // It has waited for the end, and then found the cluster away.
        expect(await codeOf(waiting)).toBe('cluster_unavailable');
      });

      it('may be said so while the session that preserves it is ending', async () => {
        const { session } = await ensureAnchored(deps, caller, project, {}, atOnce);
        await running(session.id);
        await deleteAnchored(deps, caller, project, true);
        await deleteAnchored(deps, caller, project, false);
        expect(await read(session.id)).toMatchObject({ status: 'terminating', preserve_data: false });
        await released(session.id);
        expect(await volumeOf(session)).toMatchObject({ status: 'deleting' });
      });

      it('goes when it is said so after its session has ended, but not by another user', async () => {
        const { id } = await withData();
        await deleteAnchored(deps, { ...caller, user: newId() }, project, false);
        await deleteAnchored(deps, caller, project, true);
        expect((await deps.store.get<VolumeDocument>(volumeKey(id)))?.data.status).toBe('ready');
        await deleteAnchored(deps, caller, project, false);
        expect((await deps.store.get<VolumeDocument>(volumeKey(id)))?.data.status).toBe('deleting');
      });
    });

    describe('a conversation with a project', () => {
      it('leads to the project’s session until that ends', async () => {
        const conversation: Anchor = { kind: 'conversation', id: newId() };
        const { session } = await ensureAnchored(deps, caller, conversation, { project_id: project.id }, atOnce);
        expect(session).toMatchObject({ project_id: project.id, conversation_id: conversation.id });
        for (const anchor of [project, conversation]) expect((await getAnchored(deps, caller, anchor)).id).toBe(session.id);
        await deleteAnchored(deps, caller, conversation, true);
        expect((await read(session.id)).status).toBe('terminating');
        for (const anchor of [project, conversation]) expect(await findAnchored(deps, anchor)).toBeUndefined();
      });

      it('leads to it, too, where the session was there before', async () => {
        const conversation: Anchor = { kind: 'conversation', id: newId() };
        const { session } = await ensureAnchored(deps, caller, project, {}, atOnce);
        await running(session.id);
        await ensureAnchored(deps, caller, conversation, { project_id: project.id }, atOnce);
        expect((await getAnchored(deps, caller, conversation)).id).toBe(session.id);
        await changeSession(deps, session.id, { type: 'delete' });
        expect(await findAnchored(deps, conversation)).toBeUndefined();
      });

      it('keeps the session that it has of its own', async () => {
        const conversation: Anchor = { kind: 'conversation', id: newId() };
        const own = await ensureAnchored(deps, caller, conversation, {}, atOnce);
        const { session } = await ensureAnchored(deps, caller, conversation, { project_id: project.id }, atOnce);
        expect(session.id).not.toBe(own.session.id);
        await changeSession(deps, session.id, { type: 'delete' });
        expect((await getAnchored(deps, caller, conversation)).id).toBe(own.session.id);
      });
    });

    it('a body that names another project than the path is refused', async () => {
      expect(await codeOf(ensureAnchored(deps, caller, project, { project_id: 'another' }, atOnce))).toBe('validation_failed');
      expect(await findAnchored(deps, project)).toBeUndefined();
    });

    describe('a session with an idle timeout', () => {
      async function idle(): Promise<SessionDocument> {
        const { session } = await createSession(deps, caller, { idle_timeout_minutes: 1 }, atOnce);
        await running(session.id);
        now = new Date(testNow.getTime() + 10 * MINUTE_MS);
        return read(session.id);
      }

      it('is stopped when it is idle, and not when it is used while somebody looks', async () => {
        const quiet = await idle();
        expect((await lookForActivity(deps, quiet, new AbortController().signal)).session.status).toBe('stopping');

        now = testNow;
        const used = await idle();
        const notes = createActivityNotes(deps);
        const inBetween = {
          ...deps,
          helpers: {
            ...deps.helpers,
            channel: async () => notes.touch(used).then(() => Promise.reject(new Error('no helper in this test'))),
          },
        };
        const looked = await lookForActivity(inBetween, used, new AbortController().signal);
        expect(looked).toMatchObject({ session: { status: 'running' }, lookAt: new Date(now.getTime() + MINUTE_MS) });
        expect((await read(used.id)).status).toBe('running');
      });

      it('is used by a change of it and by reading its events, not by reading itself', async () => {
        const services = createServices(deps);
        const [first, second] = [await idle(), await createSession(deps, caller, { idle_timeout_minutes: 1 }, atOnce)];
        await services.getSession(caller, first.id);
        await services.listSessions(caller, { labels: {}, limit: 10 });
        expect(await readActivity(deps, first.id)).toBeUndefined();
        await services.updateSession(caller, first.id, { name: 'used' });
        expect(await readActivity(deps, first.id)).toMatchObject({ at: now.toISOString() });
        await running(second.session.id);
        expect(await codeOf(services.sessionEvents(caller, second.session.id))).toBe('cluster_unavailable');
        expect(await readActivity(deps, second.session.id)).toMatchObject({ at: now.toISOString() });
      });
    });

    it('a session that failed stays in its namespace where the values of its env lie, and leaves it otherwise', async () => {
      const known = async (id: string): Promise<boolean> => {
        const { namespace } = await read(id);
        return (await deps.store.get<NamespaceDocument>(namespaceKey(namespace)))?.data.sessions[id] === true;
      };
      for (const [env_names, stays] of [
        [['TOKEN'], true],
        [[], false],
      ] as const) {
        const { session } = await createSession(deps, caller, {}, atOnce);
        await overwrite(sessionKey(session.id), { ...session, spec: { ...session.spec, env_names } });
        await changeSession(deps, session.id, { type: 'start_failed', reason: 'ErrImagePull: none' });
        expect((await read(session.id)).status).toBe('failed');
        expect(await known(session.id)).toBe(stays);
      }
    });

    it('what the sweep lays for a slow session is over before the next sweep', async () => {
      const { session } = await createSession(deps, caller, {}, atOnce);
      const before = deps.tasks.length;
      await ensureExpireTask(deps, session);
      await ensureSweptProvision(deps, session);
      await ensureSweptProvision(deps, session);
      const laid = deps.tasks.slice(before);
      expect(laid.map(({ target }) => target)).toEqual(['expire', 'provision']);
      for (const { payload } of laid) expect(Number(payload['within_seconds'])).toBeLessThan(60);
    });

    it('a volume whose claim is lost is made anew where its owner says so, and only then', async () => {
      const { session } = await ensureAnchored(deps, caller, project, {}, atOnce);
      const id = session.spec.volumes[0]?.volume_id ?? '';
      await changeVolume(deps, id, (volume) => readied(volume, now));
      await changeVolume(deps, id, (volume) => failed(volume, 'claim_lost: It is gone.', now));
      await changeSession(deps, session.id, { type: 'start_failed', reason: 'claim_lost: It is gone.' });
      await changeToStart(deps, session.id, { type: 'start' }, { by });
      expect((await volumeOf(session)).status).toBe('failed');
      await changeSession(deps, session.id, { type: 'start_failed', reason: 'claim_lost: It is gone.' });
      // The values of its env are in the cluster.
      expect(await codeOf(ensureAnchored(deps, caller, project, {}, { ...atOnce, recreate: true }))).toBe('cluster_unavailable');
      expect(await volumeOf(session)).toMatchObject({ status: 'creating', reason: null });
    });

    it('what is past its time is gone to whoever reads it, before the store has removed it', async () => {
      const { session } = await ensureAnchored(deps, caller, project, {}, atOnce);
      const volume = await volumeOf(session);
      await overwrite(sessionKey(session.id), { ...session, status: 'terminated', purge_at: now.toISOString() });
      await overwrite(volumeKey(volume.id), { ...volume, status: 'deleted', purge_at: now.toISOString() });
      expect(await codeOf(getSession(deps, caller, session.id))).toBe('not_found');
      expect((await listSessions(deps, caller, { labels: {}, limit: 10 })).sessions).toEqual([]);
      expect(await codeOf(findVolume(deps, caller, volume.id))).toBe('not_found');
    });
  });
}
