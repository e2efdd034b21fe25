/**
 * A session's life on the embedded cluster, and what happens to it when its deadline comes, when nobody uses it, and when the cluster or
 * Berth itself is away at the wrong moment.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Dispatcher } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeSession } from '../../shared/sessions/change.ts';
import { expireSession } from '../../shared/sessions/expire.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { alice, cleanUp, codeOf, describeLifecycle, run } from '../fakes/lifecycle-suite.ts';
import { startLife, type Life, type LifeOptions } from '../fakes/life.ts';

const MINUTE_MS = 60_000;
const wait = { waitSeconds: 20 };
const TIMEOUT = { timeout: 60_000 };

let cluster: EmbeddedCluster;
let directory: string;
let worlds = 0;

beforeAll(async () => {
  cluster = await startEmbeddedCluster();
  directory = await mkdtemp(join(tmpdir(), 'berth-life-'));
});

afterAll(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

describeLifecycle("a session's life on the embedded cluster", () => Promise.resolve(cluster.kubeconfigFile));

/** A world of its own, whose lives follow one another. */
function newWorld(): LifeOptions {
  worlds += 1;
  return { databaseFile: join(directory, `${worlds}.db`), kubeconfigFile: cluster.kubeconfigFile, installation: `lives-${worlds}` };
}

async function statusOf(life: Life, { id }: Pick<SessionDocument, 'id'>): Promise<string> {
  return (await life.services.getSession(alice, id)).status;
}

describe('many at once', () => {
  it('who ask for the same stop, and then for the same start, get one of each', TIMEOUT, async () => {
    const life = await startLife(newWorld());
    const { session } = await life.services.createSession(alice, {}, wait);
    const ten = Array.from({ length: 10 });
    const stopped = await Promise.all(ten.map(() => life.services.stopSession(alice, session.id, wait)));
    expect(stopped.map(({ status }) => status)).toEqual(ten.map(() => 'stopped'));
    const started = await Promise.all(ten.map(() => life.services.startSession(alice, session.id, wait)));
    expect(started.map(({ status, generation }) => `${status} ${generation}`)).toEqual(ten.map(() => 'running 2'));
    await cleanUp(life, [alice]);
    await life.end();
  });

  it('a start is refused where the limits are used up meanwhile, and the session stays as it is', TIMEOUT, async () => {
    const life = await startLife(newWorld());
    const { session } = await life.services.createSession(alice, {}, wait);
    await life.services.stopSession(alice, session.id, wait);
    for (let index = 0; index < 5; index += 1) await life.services.createSession(alice, {}, { waitSeconds: 0 });
    expect(await codeOf(life.services.startSession(alice, session.id, wait))).toBe('quota_exceeded');
    expect(await statusOf(life, session)).toBe('stopped');
    await cleanUp(life, [alice]);
    await life.end();
  });
});

describe('a stop', () => {
  it('goes on by its task when the cluster comes back', TIMEOUT, async () => {
    let away = false;
    const interceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
      if (away) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      return dispatch(options, handler);
    };
    const life = await startLife({ ...newWorld(), interceptors: [interceptor] });
    const { session } = await life.services.createSession(alice, {}, wait);
    away = true;
    expect((await life.services.stopSession(alice, session.id, { waitSeconds: 5 })).status).toBe('stopping');
    expect(await codeOf(life.services.runTask('expire', { session_id: session.id }))).not.toBe('nothing was refused');
    away = false;
    await life.services.runTask('expire', { session_id: session.id });
    expect(await statusOf(life, session)).toBe('stopped');
    await cleanUp(life, [alice]);
    await life.end();
  });

  it('that nobody finished is finished after the next sweep', TIMEOUT, async () => {
    const world = newWorld();
    const first = await startLife(world);
    const { session } = await first.services.createSession(alice, {}, wait);
    await changeSession(first.deps, session.id, { type: 'stop', cause: 'requested' });
    await first.end();
    const later = await startLife({ ...world, aheadMs: 20_000 });
    await later.services.sweep();
    await expect.poll(() => statusOf(later, session), { timeout: 15_000 }).toBe('stopped');
    await cleanUp(later, [alice]);
    await later.end();
  });
});

describe('a deadline', () => {
  it('that was put off does not end the session when its first task comes', TIMEOUT, async () => {
    const world = newWorld();
    const first = await startLife(world);
    const { session } = await first.services.createSession(alice, { ttl_minutes: 1 }, wait);
    const { session: short } = await first.services.createSession(alice, { ttl_minutes: 1 }, wait);
    const extended = await first.services.updateSession(alice, session.id, { ttl_minutes: 10, name: 'longer', labels: { team: 'a' } });
    expect(extended).toMatchObject({ ttl_minutes: 10, name: 'longer', labels: { team: 'a' }, status: 'running' });
    await first.end();
    const later = await startLife({ ...world, aheadMs: MINUTE_MS + 1000 });
    await expect.poll(() => statusOf(later, short), { timeout: 15_000 }).toBe('terminated');
    expect(await statusOf(later, session)).toBe('running');
    await later.end();
    const last = await startLife({ ...world, aheadMs: 10 * MINUTE_MS + 1000 });
    await expect.poll(() => statusOf(last, session), { timeout: 15_000 }).toBe('terminated');
    await last.end();
  });

  it('ends a stopped session, too', TIMEOUT, async () => {
    const world = newWorld();
    const first = await startLife(world);
    const { session } = await first.services.createSession(alice, { ttl_minutes: 1 }, wait);
    await first.services.stopSession(alice, session.id, wait);
    await first.end();
    const later = await startLife({ ...world, aheadMs: MINUTE_MS + 1000 });
    await expect.poll(() => statusOf(later, session), { timeout: 15_000 }).toBe('terminated');
    await later.end();
  });

  it('whose task comes early by the clock of another machine ends nothing, and comes again', TIMEOUT, async () => {
    const life = await startLife(newWorld());
    const { session } = await life.services.createSession(alice, { ttl_minutes: 1 }, wait);
    // Its own task lies under this second's name already, so this delivery says that it has to come again.
    const early = { ...life.deps, clock: { now: () => new Date(Date.parse(session.expires_at) - 30_000) } };
    expect(await expireSession(early, session.id)).toBe('again');
    expect(await statusOf(life, session)).toBe('running');
    await cleanUp(life, [alice]);
    await life.end();
  });
});

describe('an idle timeout', () => {
  it('stops a session that sleeps after one, while one that computes outlives three', { timeout: 90_000 }, async () => {
    const life = await startLife(newWorld());
    const idle = { idle_timeout_minutes: 0.1 };
    const [busy, quiet] = await Promise.all([
      life.services.createSession(alice, { ...idle, command: 'while :; do :; done' }, wait),
      life.services.createSession(alice, { ...idle, command: 'sleep 100000' }, wait),
    ]);
    const startedAt = Date.parse(quiet.session.started_at ?? '');
    await expect.poll(() => statusOf(life, quiet.session), { timeout: 20_000, interval: 100 }).toBe('stopped');
    const stopped = await life.services.getSession(alice, quiet.session.id);
    const stopping = stopped.history.find(({ type }) => type === 'stopping');
    const periods = (Date.parse(stopping?.at ?? '') - startedAt) / 6000;
    expect(periods).toBeGreaterThanOrEqual(1);
    expect(periods).toBeLessThan(2);
    expect(stopped.reason).toMatch(/^idle: /);

    const until = Date.parse(busy.session.started_at ?? '') + 3 * 6000 + 1000;
    await expect.poll(() => Date.now(), { timeout: 30_000, interval: 200 }).toBeGreaterThan(until);
    expect(await statusOf(life, busy.session)).toBe('running');
    await cleanUp(life, [alice]);
    await life.end();
  });

  it('begins anew with each use, and never ends a session without one', { timeout: 90_000 }, async () => {
    const life = await startLife(newWorld());
    const { session } = await life.services.createSession(alice, { idle_timeout_minutes: 0.1 }, wait);
    const { session: plain } = await life.services.createSession(alice, {}, wait);
    const startedAt = Date.parse(session.started_at ?? '');
    await expect.poll(() => Date.now(), { timeout: 20_000, interval: 50 }).toBeGreaterThan(startedAt + 4000);
    expect(await run(life, alice, session.id, 'echo used')).toBe('used');
    const usedAt = Date.now();
    await expect.poll(() => statusOf(life, session), { timeout: 30_000, interval: 100 }).toBe('stopped');
    const { history } = await life.services.getSession(alice, session.id);
    const stoppingAt = Date.parse(history.find(({ type }) => type === 'stopping')?.at ?? '');
    expect(stoppingAt - usedAt).toBeGreaterThan(5000);
    expect(stoppingAt - usedAt).toBeLessThan(11_000);
    expect(await statusOf(life, plain)).toBe('running');
    await cleanUp(life, [alice]);
    await life.end();
  });
});
