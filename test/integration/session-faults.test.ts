/**
 * What others do to a session's things: another installation, an operator with `kubectl`, a retry in the middle of an outage.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import { requireSameCluster } from '../../shared/kubernetes/identity.ts';
import type { Kubernetes } from '../../shared/kubernetes/port.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { startLife, type Life, type LifeOptions } from '../fakes/life.ts';

const alice: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
const wait = { waitSeconds: 20 };

let cluster: EmbeddedCluster;
let directory: string;
let life: Life;
let kubernetes: Kubernetes;
let away = false;
let worlds = 0;

const interceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  if (away) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  return dispatch(options, handler);
};

function newLife(): Promise<Life> {
  worlds += 1;
  return startLife(world());
}

/** The present one, as of its latest life. */
function world(): LifeOptions {
  const databaseFile = join(directory, `${worlds}.db`);
  return { databaseFile, kubeconfigFile: cluster.kubeconfigFile, installation: `faults-${worlds}`, interceptors: [interceptor] };
}

beforeAll(async () => {
  cluster = await startEmbeddedCluster();
  directory = await mkdtemp(join(tmpdir(), 'berth-faults-'));
});

afterAll(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  life = await newLife();
  kubernetes = await life.deps.kubernetes();
});

afterEach(async () => {
  away = false;
  const { sessions } = await life.services.listSessions(alice, { labels: {}, limit: 100 });
  for (const session of sessions) await life.services.deleteSession(alice, session.id);
  await life.services.sweep();
  await life.end();
});

async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'nothing was refused',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  );
}

describe('another installation on the same cluster', () => {
  it('keeps its namespaces, whoever asks for their names here', { timeout: 60_000 }, async () => {
    const other = await newLife();
    const theirs = await other.services.createSession(alice, { namespace: 'shared' }, wait);
    const ours = await life.services.createSession(alice, { namespace: 'shared' }, wait);
    expect(ours.session).toMatchObject({ status: 'failed', reason: expect.stringMatching(/is not this installation's/) as string });
    await life.services.deleteSession(alice, ours.session.id);
    await life.services.deleteNamespace(alice, 'shared');
    const bob: Caller = { ...alice, user: 'bob' };
    await life.services.createSession(bob, { namespace: 'shared' }, wait);
    await life.services.sweep();
    expect((await kubernetes.core.readNamespace({ name: theirs.session.k8s_namespace })).metadata?.deletionTimestamp).toBeUndefined();
    await other.services.sweep();
    expect((await other.services.getSession(alice, theirs.session.id)).status).toBe('running');
    await other.services.deleteSession(alice, theirs.session.id);
    await other.services.sweep();
    await other.end();
  });
});

describe('a retry with the same Idempotency-Key', () => {
  it('while the cluster is away leaves the session of the first request alone', async () => {
    const options = { waitSeconds: 0, idempotencyKey: 'once' };
    const first = await life.services.createSession(alice, {}, options);
    away = true;
    expect(await refusal(life.services.createSession(alice, {}, { ...options, waitSeconds: 1 }))).not.toBe('quota_exceeded');
    away = false;
    expect((await life.services.getSession(alice, first.session.id)).status).not.toMatch(/^terminat/);
  });
});

describe('a namespace that somebody removes behind our back', () => {
  for (const request of [{}, { env: { A: '1' } }]) {
    it(`is built again for the next session ${JSON.stringify(request)}`, { timeout: 60_000 }, async () => {
      const first = await life.services.createSession(alice, {}, wait);
      await kubernetes.core.deleteNamespace({ name: first.session.k8s_namespace });
      const next = await life.services.createSession(alice, request, wait);
      expect(next.session).toMatchObject({ status: 'running', reason: null });
      await life.services.sweep();
      expect(await life.services.getSession(alice, first.session.id)).toMatchObject({ status: 'failed' });
    });
  }
});

describe('a session that failed', () => {
  it('keeps neither its place among the limits nor its namespace from others', async () => {
    for (let attempt = 0; attempt < 7; attempt += 1) {
      const { session } = await life.services.createSession(alice, { image: 'none.invalid/x:1', namespace: 'team' }, wait);
      expect(session).toMatchObject({ status: 'failed' });
    }
    const bob: Caller = { ...alice, user: 'bob' };
    const { session } = await life.services.createSession(bob, { namespace: 'team' }, wait);
    expect(session.status).toBe('running');
    await life.services.deleteSession(bob, session.id);
  });
});

describe('values of env', () => {
  it('are safe before the answer, however short the caller waits', async () => {
    const { session } = await life.services.createSession(alice, { env: { A: '1' } }, { waitSeconds: 0 });
    expect(session.status).toBe('creating');
    const secret = await kubernetes.core.readNamespacedSecret({ name: session.pod_name, namespace: session.k8s_namespace });
    expect(secret.data).toEqual({ A: Buffer.from('1').toString('base64') });
    await expect.poll(async () => (await life.services.getSession(alice, session.id)).status, { timeout: 10_000 }).toBe('running');
  });

  it('that were written after the session had ended do not outlive the sweep a minute later', async () => {
    const { session } = await life.services.createSession(alice, { env: { A: '1' } }, wait);
    const { namespace, name } = { namespace: session.k8s_namespace, name: session.pod_name };
    const keep = await life.services.createSession(alice, {}, wait);
    await life.services.deleteSession(alice, session.id);
    await kubernetes.core.createNamespacedSecret({ namespace, body: { metadata: { name }, stringData: { A: '1' } } });
    const later = await startLife({ ...world(), aheadMs: 61_000 });
    await later.services.sweep();
    await later.end();
    await expect(kubernetes.core.readNamespacedSecret({ namespace, name })).rejects.toMatchObject({ code: 404 });
    await life.services.deleteSession(alice, keep.session.id);
  });
});

describe('a command', () => {
  it('whose time is over as soon as it has started says that it timed out', async () => {
    const { session } = await life.services.createSession(alice, {}, wait);
    const ran = await life.services.execute(alice, session.id, { command: 'sleep 5', timeout: 0.0001 }, new AbortController().signal);
    expect(ran).toMatchObject({ success: false, end: 'timed_out', timed_out: true });
  });
});

describe('a store', () => {
  it('refuses to work with another cluster while sessions live on the one it knows', { timeout: 60_000 }, async () => {
    let inUse = true;
    const check = (met: Kubernetes): Promise<void> => requireSameCluster(life.deps.store, met, () => Promise.resolve(inUse));
    await check(kubernetes);
    await check(kubernetes);
    const another = await startEmbeddedCluster();
    const elsewhere = await startLife({
      databaseFile: join(directory, 'else.db'),
      kubeconfigFile: another.kubeconfigFile,
      installation: 'else',
    });
    expect(await refusal(check(await elsewhere.deps.kubernetes()))).toBe('cluster_refused');
    inUse = false;
    await check(await elsewhere.deps.kubernetes());
    inUse = true;
    expect(await refusal(check(kubernetes))).toBe('cluster_refused');
    await elsewhere.end();
    await another.stop();
  });
});
