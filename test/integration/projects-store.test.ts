/**
 * The life of sessions where the store decides it: one session of a project whoever asks at once, and starts that are admitted anew. On
 * every store there is, without a cluster.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { putUser } from '../../shared/entitlements/users.ts';
import { readUser } from '../../shared/entitlements/user.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { newId } from '../../shared/ids.ts';
import type { Anchor } from '../../shared/sessions/anchors.ts';
import { changeSession } from '../../shared/sessions/change.ts';
import { anchorKey } from '../../shared/sessions/collections.ts';
import { createSession } from '../../shared/sessions/create.ts';
import { ensureAnchored, findAnchored, getAnchored } from '../../shared/sessions/ensure-anchored.ts';
import { listSessions } from '../../shared/sessions/list.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { changeToStart } from '../../shared/sessions/readmit.ts';
import { updateSession } from '../../shared/sessions/update.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { storeDeps, type StoreDeps } from '../fakes/store-deps.ts';

const atOnce = { waitSeconds: 0 };
const by = { by: 'test', key_id: null, request_id: null };

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );
}

for (const { name, missing, start } of implementations) {
  describe.skipIf(missing !== undefined)(missing ?? `sessions in ${name}`, () => {
    let fixture: StoreFixture;
    let deps: StoreDeps;
    let caller: Caller;
    let project: Anchor;

    beforeAll(async () => {
      fixture = start();
      deps = storeDeps(await fixture.open());
    });
    afterAll(async () => fixture.close());
    beforeEach(() => {
      const user = newId();
      caller = { keyId: `k-${user}`, kind: 'user', user, requestId: 'r' };
      project = { kind: 'project', id: newId() };
    });

    async function sessions(): Promise<readonly SessionDocument[]> {
      return (await listSessions(deps, caller, { labels: {}, limit: 100 })).sessions;
    }

    async function holds(): Promise<readonly string[]> {
      const all = Object.keys((await readUser(deps, caller.user ?? '')).holds);
      return all.filter((id) => id.startsWith('session-'));
    }

    async function stopped(): Promise<SessionDocument> {
      const { session } = await createSession(deps, caller, {}, atOnce);
      await changeSession(deps, session.id, { type: 'pod_ready', podUid: 'uid', nodeName: 'node', channel: 'exec' });
      await changeSession(deps, session.id, { type: 'stop', cause: 'requested' });
      const result = await changeSession(deps, session.id, { type: 'pod_gone', podUid: 'uid' });
      if (result?.session.status !== 'stopped') throw new Error(`expected it stopped, it is ${result?.session.status}`);
      return result.session;
    }

    it('one project asked for its session by fifty at once has one', { timeout: 60_000 }, async () => {
      const ensured = await Promise.all(Array.from({ length: 50 }, () => ensureAnchored(deps, caller, project, {}, atOnce)));
      const present = await sessions();
      expect(present).toHaveLength(1);
      expect(new Set(ensured.map(({ session }) => session.id))).toEqual(new Set([present[0]?.id]));
      expect(ensured.filter(({ created }) => created)).toHaveLength(1);
      expect(await holds()).toEqual([`session-${present[0]?.id}`]);
    });

    it('a project may have another session from the moment on that its session begins to end', async () => {
      const first = await ensureAnchored(deps, caller, project, {}, atOnce);
      await changeSession(deps, first.session.id, { type: 'delete' });
      expect(await findAnchored(deps, project)).toBeUndefined();
      const second = await ensureAnchored(deps, caller, project, {}, atOnce);
      expect(second.created).toBe(true);
      // Its end comes late, and leaves the second one's anchor alone.
      await changeSession(deps, first.session.id, { type: 'released' });
      expect((await getAnchored(deps, caller, project)).id).toBe(second.session.id);
    });

    it('an anchor whose session is gone from the store is taken over', async () => {
      const data = { ...project, session_id: 'gone', user: 'somebody', created_at: deps.clock.now().toISOString() };
      await deps.store.create(anchorKey(project), data);
      const { session, created } = await ensureAnchored(deps, caller, project, {}, atOnce);
      expect(created).toBe(true);
      expect((await getAnchored(deps, caller, project)).id).toBe(session.id);
    });

    it('a stopped session holds nothing, and one of twenty starts at once takes its place among the limits again', async () => {
      const session = await stopped();
      expect(await holds()).toEqual([]);
      const starts = await Promise.all(Array.from({ length: 20 }, () => changeToStart(deps, session.id, { type: 'start' }, { by })));
      expect(starts.filter((result) => result?.changed)).toHaveLength(1);
      expect(starts.every((result) => result?.session.status === 'creating' && result.session.generation === 2)).toBe(true);
      expect(await holds()).toEqual([`session-${session.id}`]);
    });

    it('a start is refused where the limits are lower by now, and nothing is changed', async () => {
      const session = await stopped();
      await putUser(deps, caller.user ?? '', { type: 'normal', limits: { sessions: 0 } });
      expect(await outcomeOf(changeToStart(deps, session.id, { type: 'start' }, { by }))).toBe('quota_exceeded');
      expect(await sessions()).toEqual([session]);
    });

    it('a restart keeps its place among limits that are lower by now, from the first pod to the second', async () => {
      const { session } = await createSession(deps, caller, {}, atOnce);
      await changeSession(deps, session.id, { type: 'pod_ready', podUid: 'uid', nodeName: 'node', channel: 'exec' });
      await putUser(deps, caller.user ?? '', { type: 'normal', limits: { sessions: 0 } });
      await changeToStart(deps, session.id, { type: 'restart' }, { by });
      expect(await holds()).toEqual([`session-${session.id}`]);
      const next = await changeSession(deps, session.id, { type: 'pod_gone', podUid: 'uid' });
      expect(next?.session).toMatchObject({ status: 'creating', generation: 2 });
      expect(await holds()).toEqual([`session-${session.id}`]);
    });

    it('a session whose volume is gone does not start without it', async () => {
      const { session } = await ensureAnchored(deps, caller, project, {}, atOnce);
      await changeSession(deps, session.id, { type: 'start_failed', reason: 'test: no' });
      const [volume] = session.spec.volumes;
      await deps.store.delete({ collection: 'volumes', id: volume?.volume_id ?? '' });
      expect(await outcomeOf(changeToStart(deps, session.id, { type: 'start' }, { by }))).toBe('invalid_state');
    });

    it('an extension lays a task at the new deadline, and the one of the old finds that it is too early', async () => {
      const { session } = await createSession(deps, caller, { ttl_minutes: 10 }, atOnce);
      const laid = deps.tasks.length;
      const updated = await updateSession(deps, session.id, { ttl_minutes: 20 }, by);
      const [task] = deps.tasks.slice(laid);
      expect(task).toMatchObject({ target: 'expire', payload: { session_id: session.id }, scheduleTime: new Date(updated.expires_at) });
      const early = await changeSession(deps, session.id, { type: 'deadline' });
      expect(early).toMatchObject({ changed: false, session: { status: 'creating' } });
    });
  });
}
