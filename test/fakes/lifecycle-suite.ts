/**
 * Stop, start, restart and loss of a session's pod, as its owner sees them: the same on every cluster.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { readUser } from '../../shared/entitlements/user.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { templateDefaults } from '../../shared/templates/catalog.ts';
import { startLife, type Life } from './life.ts';

export const alice: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
const admin: Caller = { keyId: 'a', kind: 'admin', user: null, requestId: 'r' };
const wait = { waitSeconds: 60 };
const persistent = { request_persistent_storage: true, persistent_storage_size_gb: 1 };
const TIMEOUT = { timeout: 180_000 };

export async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );
}

/** Runs a command in the session and answers what it printed, or its end where that was not good. */
export async function run(life: Life, caller: Caller, id: string, command: string): Promise<string> {
  const ran = await life.services.execute(caller, id, { command }, new AbortController().signal);
  return ran.success ? ran.stdout.trim() : `${ran.end} ${ran.returncode}: ${ran.stderr.trim()}`;
}

/** Deletes what the user has, data and all, and sweeps until nothing of the namespace is left. */
export async function cleanUp(life: Life, callers: readonly Caller[]): Promise<void> {
  for (const caller of callers) {
    const { sessions } = await life.services.listSessions(caller, { labels: {}, limit: 100 });
    for (const session of sessions) await life.services.deleteSession(caller, session.id, { preserveData: false });
    await untilEnded(life, caller);
    const { volumes } = await life.services.listVolumes(caller, { limit: 100 });
    for (const volume of volumes) if (volume.status !== 'deleted') await life.services.deleteVolume(caller, volume.id);
  }
  await life.services.sweep({ full: true });
}

async function untilEnded(life: Life, caller: Caller): Promise<void> {
  const end = performance.now() + 60_000;
  for (;;) {
    await life.services.sweep();
    const { sessions } = await life.services.listSessions(caller, { labels: {}, limit: 100 });
    const left = sessions.filter(({ status }) => status !== 'terminated');
    if (left.length === 0) return;
    if (performance.now() > end) throw new Error(`not ended: ${left.map(({ id, status }) => `${id} ${status}`).join(', ')}`);
    await sleep(200);
  }
}

async function podUidOf(life: Life, session: SessionDocument): Promise<string | undefined> {
  const { core } = await life.deps.kubernetes();
  const list = await core.listNamespacedPod({
    namespace: session.k8s_namespace,
    fieldSelector: `metadata.name=${session.pod_name}`,
  });
  return list.items[0]?.metadata?.uid;
}

async function heldSessions(life: Life): Promise<number> {
  const { holds } = await readUser(life.deps, 'alice');
  return Object.keys(holds).filter((id) => id.startsWith('session-')).length;
}

export function describeLifecycle(name: string, kubeconfig: () => Promise<string>): void {
  describe(name, () => {
    let directory: string;
    let life: Life;

    beforeAll(async () => {
      directory = await mkdtemp(join(tmpdir(), 'berth-lifecycle-'));
      life = await startLife({
        databaseFile: join(directory, 'berth.db'),
        kubeconfigFile: await kubeconfig(),
        installation: `life-${randomBytes(4).toString('hex')}`,
        env: { BERTH_DEFAULT_USER_TYPE: 'pro' },
      });
    });

    afterAll(async () => {
      await cleanUp(life, [alice]);
      await life.end();
      await rm(directory, { recursive: true, force: true });
    }, 120_000);

    it(
      'a stopped session has no pod and holds none of the limits on sessions; started, it has its files and its env',
      TIMEOUT,
      async () => {
        const { session } = await life.services.createSession(alice, { ...persistent, env: { TOKEN: 'kept' } }, wait);
        expect(session).toMatchObject({ status: 'running', reason: null });
        await run(life, alice, session.id, 'echo written > /workspace/file');

        const stopped = await life.services.stopSession(alice, session.id, wait);
        expect(stopped).toMatchObject({ status: 'stopped', pod_uid: null, restarts: false });
        expect(stopped.stopped_at).not.toBeNull();
        expect(await podUidOf(life, session)).toBeUndefined();
        expect(await heldSessions(life)).toBe(0);
        expect(await codeOf(run(life, alice, session.id, 'true'))).toBe('invalid_state');
        expect((await life.services.stopSession(alice, session.id, wait)).updated_at).toBe(stopped.updated_at);

        const started = await life.services.startSession(alice, session.id, wait);
        expect(started).toMatchObject({ status: 'running', generation: 2, stopped_at: null });
        expect(await run(life, alice, session.id, 'cat /workspace/file; echo $TOKEN')).toBe('written\nkept');
        expect(await heldSessions(life)).toBe(1);
        await life.services.deleteSession(alice, session.id);
      },
    );

    it('a restart gives another pod with the files of its volume, under one hold', TIMEOUT, async () => {
      const { session } = await life.services.createSession(alice, persistent, wait);
      await run(life, alice, session.id, 'echo written > /workspace/file');
      const restarted = await life.services.restartSession(alice, session.id, wait);
      expect(restarted).toMatchObject({ status: 'running', generation: 2, warnings: session.warnings });
      expect(restarted.pod_uid).not.toBe(session.pod_uid);
      expect(await run(life, alice, session.id, 'cat /workspace/file')).toBe('written');
      await life.services.deleteSession(alice, session.id);
    });

    it('a restart of a session without a volume says that its files are gone', TIMEOUT, async () => {
      const { session } = await life.services.createSession(alice, {}, wait);
      await run(life, alice, session.id, 'echo written > /workspace/file');
      const restarted = await life.services.restartSession(alice, session.id, wait);
      expect(restarted.status).toBe('running');
      expect(restarted.warnings.join()).toMatch(/files are gone/);
      expect(await run(life, alice, session.id, 'ls /workspace')).not.toContain('file');
      await life.services.deleteSession(alice, session.id);
    });

    it('a command before the stop has its say, and one that does not come to an end is cut at the grace period', TIMEOUT, async () => {
      const image = 'python:3.11-slim';
      const template = { ...templateDefaults, image, description: '', grace_period_seconds: 2 };
      const before_stop = ['sh', '-c', 'echo bye > /workspace/last'];
      await life.services.putTemplate(admin, { ...template, id: 'says-bye', before_stop });
      await life.services.putTemplate(admin, { ...template, id: 'never-ends', before_stop: ['sleep', '1000'] });

      const { session } = await life.services.createSession(alice, { ...persistent, template: 'says-bye' }, wait);
      const stopped = await life.services.stopSession(alice, session.id, wait);
      expect(stopped.status).toBe('stopped');
      expect(stopped.history.at(-1)?.message).toBe('The pod is gone');
      await life.services.startSession(alice, session.id, wait);
      expect(await run(life, alice, session.id, 'cat /workspace/last')).toBe('bye');
      await life.services.deleteSession(alice, session.id);

      const { session: endless } = await life.services.createSession(alice, { template: 'never-ends' }, wait);
      const cut = await life.services.stopSession(alice, endless.id, wait);
      expect(cut.status).toBe('stopped');
      expect(cut.history.at(-1)?.message).toBe('The pod is gone (before_stop was not done within 2 s)');
      await life.services.deleteSession(alice, endless.id);
    });

    it('a command before the stop has its say also where the caller does not wait for it', TIMEOUT, async () => {
      const template = { ...templateDefaults, image: 'python:3.11-slim', description: '', grace_period_seconds: 20 };
      const before_stop = ['sh', '-c', 'sleep 3; echo bye > /workspace/last'];
      await life.services.putTemplate(admin, { ...template, id: 'takes-its-time', before_stop });
      const { session } = await life.services.createSession(alice, { ...persistent, template: 'takes-its-time' }, wait);
      expect((await life.services.stopSession(alice, session.id, { waitSeconds: 1 })).status).toBe('stopping');
      await expect.poll(async () => (await life.services.getSession(alice, session.id)).status, { timeout: 30_000 }).toBe('stopped');
      await life.services.startSession(alice, session.id, wait);
      expect(await run(life, alice, session.id, 'cat /workspace/last')).toBe('bye');
      await life.services.deleteSession(alice, session.id);
    });

    it('a pod that somebody deletes is rebuilt on its volume, and lost where there is none', TIMEOUT, async () => {
      const { session } = await life.services.createSession(alice, persistent, wait);
      const { session: ephemeral } = await life.services.createSession(alice, {}, wait);
      await run(life, alice, session.id, 'echo written > /workspace/file');
      const { core } = await life.deps.kubernetes();
      for (const { pod_name, k8s_namespace } of [session, ephemeral]) {
        await core.deleteNamespacedPod({ name: pod_name, namespace: k8s_namespace });
      }
      const swept = async (): Promise<string> => {
        await life.services.sweep();
        return (await life.services.getSession(alice, session.id)).status;
      };
      await expect
        .poll(async () => `${await swept()} ${(await life.services.getSession(alice, session.id)).generation}`, {
          timeout: 90_000,
          interval: 200,
        })
        .toBe('running 2');
      expect(await run(life, alice, session.id, 'cat /workspace/file')).toBe('written');
      expect(await life.services.getSession(alice, ephemeral.id)).toMatchObject({
        status: 'failed',
        reason: expect.stringMatching(/^pod_lost: /) as string,
      });
      const again = await life.services.startSession(alice, ephemeral.id, wait);
      expect(again).toMatchObject({ status: 'running', generation: 2, reason: null });
      for (const { id } of [session, ephemeral]) await life.services.deleteSession(alice, id);
    });
  });
}
