/**
 * Sessions as their services see them, against a cluster: outages, many at once, namespaces between users.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { disagreements } from '../fakes/agreement.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { startLife, type Life } from '../fakes/life.ts';

const caller: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };

/** Lets so many requests through to the cluster, then refuses every one as a server that is away would. */
class Outage {
  left = Infinity;

  readonly interceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
    this.left -= 1;
    if (this.left < 0) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    return dispatch(options, handler);
  };
}

let cluster: EmbeddedCluster;
let directory: string;
let life: Life;
const outage = new Outage();

beforeAll(async () => {
  cluster = await startEmbeddedCluster();
  directory = await mkdtemp(join(tmpdir(), 'berth-outage-'));
  const databaseFile = join(directory, 'berth.db');
  life = await startLife({
    databaseFile,
    kubeconfigFile: cluster.kubeconfigFile,
    installation: 'outage',
    interceptors: [outage.interceptor],
  });
});

afterAll(async () => {
  await life.end();
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

async function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );
}

async function untilAgreed(): Promise<void> {
  const end = performance.now() + 30_000;
  for (;;) {
    await life.services.sweep();
    const left = await disagreements(life.deps);
    if (left.length === 0) return;
    if (performance.now() > end) expect(left).toEqual([]);
    await sleep(50);
  }
}

describe('a create while the Kubernetes API is away', () => {
  // The namespace, the seven objects in it, the pod: from the first request to the last that writes.
  for (const requests of [0, 1, 4, 8]) {
    it(
      `is refused as retryable after ${requests} requests, leaves nothing, and succeeds with the same key when it is back`,
      { timeout: 60_000 },
      async () => {
        // A user of its own: the namespace is not there yet.
        const user: Caller = { ...caller, user: `user-${requests}` };
        const options = { waitSeconds: 10, idempotencyKey: 'key' };
        outage.left = requests;
        expect(await codeOf(life.services.createSession(user, {}, options))).toBe('cluster_unavailable');
        outage.left = Infinity;
        const { session, replayed } = await life.services.createSession(user, {}, options);
        expect({ status: session.status, replayed }).toEqual({ status: 'running', replayed: false });
        await life.services.deleteSession(user, session.id);
      },
    );
  }

  it('is answered as it stands when only the news of its pod is cut off, and goes on by itself', { timeout: 60_000 }, async () => {
    const warm = await life.services.createSession(caller, {}, { waitSeconds: 10 });
    outage.left = 1;
    const { session } = await life.services.createSession(caller, {}, { waitSeconds: 1 });
    outage.left = Infinity;
    expect(session.status).toBe('creating');
    // Its task is ten seconds ahead; it comes now.
    await life.services.runTask('provision', { session_id: session.id });
    expect(await life.services.getSession(caller, session.id)).toMatchObject({ status: 'running', reason: null });
    for (const { id } of [warm.session, session]) await life.services.deleteSession(caller, id);
    await untilAgreed();
  });

  it('is over for a command too: it is refused, and the session lives', async () => {
    const { session } = await life.services.createSession(caller, {}, { waitSeconds: 10 });
    outage.left = 0;
    expect(await codeOf(life.services.sessionEvents(caller, session.id))).toBe('cluster_unavailable');
    expect(await codeOf(life.services.sweep())).toBe('cluster_unavailable');
    outage.left = Infinity;
    expect((await life.services.getSession(caller, session.id)).status).toBe('running');
    await life.services.deleteSession(caller, session.id);
  });
});

describe('many creates at once', () => {
  it('admit exactly as many as the limit allows, and say why to the others', { timeout: 60_000 }, async () => {
    const attempts = await Promise.all(
      Array.from({ length: 30 }, () => codeOf(life.services.createSession(caller, {}, { waitSeconds: 20 }))),
    );
    expect(attempts.filter((code) => code === 'nothing was refused')).toHaveLength(5);
    expect(attempts.filter((code) => code === 'quota_exceeded')).toHaveLength(25);
    const { sessions } = await life.services.listSessions(caller, { labels: {}, limit: 100, status: 'running' });
    expect(sessions).toHaveLength(5);
    await Promise.all(sessions.map((session) => life.services.deleteSession(caller, session.id)));
    await untilAgreed();
  });

  it('with one Idempotency-Key make one session', { timeout: 60_000 }, async () => {
    const created = await Promise.all(
      Array.from({ length: 10 }, () =>
        life.services.createSession(caller, { env: { A: '1' } }, { waitSeconds: 20, idempotencyKey: 'same' }),
      ),
    );
    expect(new Set(created.map(({ session }) => session.id)).size).toBe(1);
    expect(created.map(({ session }) => session.status)).toEqual(Array.from({ length: 10 }, () => 'running'));
    expect(created.filter(({ replayed }) => !replayed)).toHaveLength(1);
    for (const { session } of created.slice(0, 1)) await life.services.deleteSession(caller, session.id);
    await untilAgreed();
  });
});

describe('a namespace', () => {
  it(
    'is taken while its owner uses it, and free at once when they do not; nothing of theirs is in it then',
    { timeout: 60_000 },
    async () => {
      const bob: Caller = { ...caller, user: 'bob' };
      const { session } = await life.services.createSession(caller, { namespace: 'team' }, { waitSeconds: 20 });
      expect(await codeOf(life.services.createSession(bob, { namespace: 'team' }, { waitSeconds: 20 }))).toBe('namespace_taken');
      expect(await codeOf(life.services.getSession(bob, session.id))).toBe('not_found');
      expect(await codeOf(life.services.deleteSession(bob, session.id))).toBe('not_found');
      const { core } = await life.deps.kubernetes();
      const before = await core.readNamespace({ name: session.k8s_namespace });
      await life.services.deleteSession(caller, session.id);
      const taken = await life.services.createSession(bob, { namespace: 'team' }, { waitSeconds: 20 });
      expect(taken.session.status).toBe('running');
      const after = await core.readNamespace({ name: session.k8s_namespace });
      expect(after.metadata?.uid).not.toBe(before.metadata?.uid);
      await life.services.deleteSession(bob, taken.session.id);
      await untilAgreed();
    },
  );
});
