/**
 * Users and sharing against a cluster: the embedded one or a real one.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { newId } from '../../shared/ids.ts';
import { startLife, type Life } from './life.ts';

const WAIT = { waitSeconds: 100 };
const SLOW = 120_000;
const SOON = { timeout: 60_000, interval: 200 };

const as = (user: string): Caller => ({ keyId: `k-${user}`, kind: 'user', user, requestId: 'r' });
const admin: Caller = { keyId: 'k-admin', kind: 'admin', user: null, requestId: 'r' };

export function describeUsers(kubeconfigFile: () => string): void {
  const installation = `us-${newId().slice(0, 8)}`;
  const labelSelector = `berth.dev/installation=${installation}`;
  let directory: string;
  let life: Life;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-users-'));
    life = await startLife({
      databaseFile: join(directory, 'berth.db'),
      kubeconfigFile: kubeconfigFile(),
      installation,
      env: { BERTH_DEFAULT_USER_TYPE: 'pro' },
    });
  });

  afterAll(async () => {
    const { core } = await life.deps.kubernetes();
    const { items } = await core.listNamespace({ labelSelector });
    await Promise.all(items.map(({ metadata }) => core.deleteNamespace({ name: metadata?.name ?? '' })));
    await life.end();
    await rm(directory, { recursive: true, force: true });
  });

  async function codeOf(call: Promise<unknown>): Promise<string> {
    return call.then(
      () => 'allowed',
      (error: unknown) => (error instanceof AppError ? error.code : String(error)),
    );
  }

  describe('a session that is shared', () => {
    it('runs the commands of those who may write, and of nobody else', { timeout: SLOW }, async () => {
      const [alice, bob] = [newId(), newId()];
      const { session } = await life.services.createSession(as(alice), {}, WAIT);
      const run = (): Promise<unknown> =>
        life.services.execute(as(bob), session.id, { command: 'echo shared' }, AbortSignal.timeout(30_000));
      expect(await codeOf(run())).toBe('not_found');
      await life.services.putGrant(as(alice), 'session', session.id, { user: bob, access: 'read' });
      expect(await codeOf(run())).toBe('forbidden');
      await life.services.putGrant(as(alice), 'session', session.id, { user: bob, access: 'write' });
      expect(await run()).toMatchObject({ success: true, stdout: 'shared\n' });
      await life.services.deleteUser(admin, alice, { force: true });
      expect(await codeOf(run())).not.toBe('allowed');
    });
  });

  describe('a namespace that is shared', () => {
    it('holds the pods of both users side by side', { timeout: SLOW }, async () => {
      const [alice, bob] = [newId(), newId()];
      const namespace = `team-${newId().slice(0, 8)}`;
      const ofAlice = await life.services.createSession(as(alice), { namespace }, WAIT);
      await life.services.putGrant(as(alice), 'namespace', namespace, { user: bob, access: 'write' });
      const ofBob = await life.services.createSession(as(bob), { namespace }, WAIT);
      expect(ofBob.session).toMatchObject({ status: 'running', user: bob, k8s_namespace: ofAlice.session.k8s_namespace });
      for (const user of [alice, bob]) await life.services.deleteUser(admin, user, { force: true });
    });
  });

  describe('a user who is deleted', () => {
    it('leaves nothing: no pod, no disk, nothing held', { timeout: SLOW }, async () => {
      const user = newId();
      const body = { request_persistent_storage: true, preserve_data: true, persistent_storage_size_gb: 1 };
      const { session } = await life.services.createSession(as(user), body, WAIT);
      expect(session.status).toBe('running');
      const kept = await life.services.createSession(as(user), {}, WAIT);
      await life.services.stopSession(as(user), kept.session.id, WAIT);
      expect(await codeOf(life.services.deleteUser(admin, user, { force: false }))).toBe('user_in_use');

      const deleted = await life.services.deleteUser(admin, user, { force: true });
      expect(deleted.sessions.toSorted()).toEqual([session.id, kept.session.id].toSorted());
      expect(deleted.volumes).toEqual(session.spec.volumes.map(({ volume_id }) => volume_id));
      const { core } = await life.deps.kubernetes();
      const namespace = session.k8s_namespace;
      await vi.waitFor(async () => {
        await life.services.sweep();
        const [pods, claims] = [await core.listNamespacedPod({ namespace }), await core.listNamespacedPersistentVolumeClaim({ namespace })];
        expect([pods.items.length, claims.items.length]).toEqual([0, 0]);
        expect((await life.services.getUser(admin, user)).usage).toMatchObject({ sessions: 0, pvcs: 0, storage_gb: 0, cpu: 0 });
      }, SOON);
      expect(await codeOf(life.services.createSession(as(user), {}, WAIT))).toBe('user_deleted');
    });
  });
}
