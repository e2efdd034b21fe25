/**
 * The one session of a project or conversation, against the embedded cluster.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import type { Anchor } from '../../shared/sessions/anchors.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { alice, cleanUp, codeOf, run } from '../fakes/lifecycle-suite.ts';
import { startLife, type Life, type LifeOptions } from '../fakes/life.ts';

const bob: Caller = { ...alice, user: 'bob' };
const service: Caller = { ...alice, kind: 'service', user: null };
const MINUTE_MS = 60_000;
const wait = { waitSeconds: 30 };
const TIMEOUT = { timeout: 60_000 };
const atlas: Anchor = { kind: 'project', id: 'Atlas / №1' };

let cluster: EmbeddedCluster;
let directory: string;
let world: LifeOptions;
let life: Life;
let worlds = 0;

beforeAll(async () => {
  cluster = await startEmbeddedCluster();
  directory = await mkdtemp(join(tmpdir(), 'berth-projects-'));
});

afterAll(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  worlds += 1;
  world = { databaseFile: join(directory, `${worlds}.db`), kubeconfigFile: cluster.kubeconfigFile, installation: `projects-${worlds}` };
  life = await startLife(world);
});

afterEach(async () => {
  await cleanUp(life, [alice, bob, { ...alice, user: 'project:shop' }]);
  await life.end();
});

describe('a project asked for its session', () => {
  it('by twenty at once has one, which all of them get, running', TIMEOUT, async () => {
    const request = { env: { A: '1' }, ports: [8080] };
    const ensured = await Promise.all(Array.from({ length: 20 }, () => life.services.ensureAnchored(alice, atlas, request, wait)));
    expect(new Set(ensured.map(({ session }) => session.id)).size).toBe(1);
    expect(ensured.map(({ session }) => session.status)).toEqual(ensured.map(() => 'running'));
    expect(ensured.filter(({ created }) => created)).toHaveLength(1);
    const { sessions } = await life.services.listSessions(alice, { labels: {}, limit: 10 });
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toMatchObject({
      project_id: atlas.id,
      preserve_data: true,
      spec: { storage_type: 'persistent_volume', ports: [8080], volumes: [{ mount_path: '/workspace' }] },
    });
    expect(await run(life, alice, sessions[0]?.id ?? '', 'echo $A')).toBe('1');
  });

  it('keeps its files over stop, end and the next session, and loses them when they are not to be preserved', TIMEOUT, async () => {
    const { session } = await life.services.ensureAnchored(alice, atlas, {}, wait);
    await run(life, alice, session.id, 'echo written > /workspace/file');

    await life.services.stopSession(alice, session.id, wait);
    const started = await life.services.ensureAnchored(alice, atlas, {}, wait);
    expect(started).toMatchObject({ created: false, session: { id: session.id, status: 'running', generation: 2 } });
    expect(await run(life, alice, session.id, 'cat /workspace/file')).toBe('written');

    await life.services.deleteAnchored(alice, atlas);
    expect(await codeOf(life.services.getAnchored(alice, atlas))).toBe('not_found');
    const next = await life.services.ensureAnchored(alice, atlas, {}, wait);
    expect(next.created).toBe(true);
    expect(next.session.id).not.toBe(session.id);
    expect(await run(life, alice, next.session.id, 'cat /workspace/file')).toBe('written');

    await life.services.deleteAnchored(alice, atlas, { preserveData: false });
    await life.services.deleteAnchored(alice, atlas, { preserveData: false });
    await expect.poll(async () => (await life.services.getSession(alice, next.session.id)).status, { timeout: 20_000 }).toBe('terminated');
    const ended = async (): Promise<readonly string[]> => {
      await life.services.sweep();
      return (await life.services.listVolumes(alice, { limit: 10 })).volumes
        .map(({ status }) => status)
        .filter((status) => status !== 'deleted');
    };
    await expect.poll(ended, { timeout: 20_000 }).toEqual([]);
    const last = await life.services.ensureAnchored(alice, atlas, {}, wait);
    expect(await run(life, alice, last.session.id, 'ls /workspace')).not.toContain('file');
  });

  it('while the one before takes its data with it waits for that, and begins with an empty workspace', TIMEOUT, async () => {
    const { session } = await life.services.ensureAnchored(alice, atlas, {}, wait);
    await run(life, alice, session.id, 'echo written > /workspace/file');
    const deleted = life.services.deleteAnchored(alice, atlas, { preserveData: false });
    await expect.poll(async () => (await life.services.getSession(alice, session.id)).status, { interval: 1 }).not.toBe('running');
    const next = await life.services.ensureAnchored(alice, atlas, {}, wait);
    await deleted;
    expect(next).toMatchObject({ created: true, session: { status: 'running' } });
    expect(await run(life, alice, next.session.id, 'ls /workspace')).not.toContain('file');
    // Kept this time, and removed when nobody uses it any more.
    await life.services.deleteAnchored(alice, atlas);
    await expect.poll(async () => (await life.services.getSession(alice, next.session.id)).status, { timeout: 20_000 }).toBe('terminated');
    await life.services.deleteAnchored(alice, atlas, { preserveData: false });
    const left = (await life.services.listVolumes(alice, { limit: 10 })).volumes.filter(({ status }) => status === 'ready');
    expect(left).toEqual([]);
  });

  it('is told where a running one differs, and has it rebuilt on its storage when it says so', TIMEOUT, async () => {
    const { session } = await life.services.ensureAnchored(alice, atlas, { env: { A: '1' } }, wait);
    await run(life, alice, session.id, 'echo written > /workspace/file');
    const request = { image: 'node:24-slim', resource_limits: { memory: '2Gi' }, env: { B: '2' } };
    const told = await life.services.ensureAnchored(alice, atlas, request, wait);
    expect(told.session).toMatchObject({ id: session.id, generation: 1, spec: { image: 'python:3.11-slim' } });
    expect(told.session.warnings.join(' ')).toMatch(/image.*limits.*env/s);

    const five = Array.from({ length: 5 });
    const rebuilt = await Promise.all(five.map(() => life.services.ensureAnchored(alice, atlas, request, { ...wait, recreate: true })));
    for (const { session: now } of rebuilt) {
      expect(now).toMatchObject({ id: session.id, status: 'running', generation: 2, spec: { image: 'node:24-slim', env_names: ['B'] } });
    }
    expect(await run(life, alice, session.id, 'cat /workspace/file; echo $A$B')).toBe('written\n2');
    const same = await life.services.ensureAnchored(alice, atlas, request, { ...wait, recreate: true });
    expect(same.session).toMatchObject({ generation: 2, warnings: session.warnings });
  });

  it('gets one that failed made again from what it asks for now', TIMEOUT, async () => {
    const { session } = await life.services.ensureAnchored(alice, atlas, { image: 'none.invalid/x:1' }, wait);
    expect(session.status).toBe('failed');
    const { session: again } = await life.services.ensureAnchored(alice, atlas, { env: { A: '1' } }, wait);
    expect(again).toMatchObject({ id: session.id, status: 'running', generation: 2, reason: null });
    expect(await run(life, alice, session.id, 'echo $A')).toBe('1');
  });

  it('has it stopped, not ended, at its deadline, and started with a new one by the next use', TIMEOUT, async () => {
    const { session } = await life.services.ensureAnchored(alice, atlas, { ttl_minutes: 1 }, wait);
    await run(life, alice, session.id, 'echo written > /workspace/file');
    await life.end();
    life = await startLife({ ...world, aheadMs: MINUTE_MS + 1000 });
    await expect.poll(async () => (await life.services.getAnchored(alice, atlas)).status, { timeout: 15_000 }).toBe('stopped');
    const { session: started } = await life.services.ensureAnchored(alice, atlas, {}, wait);
    expect(started).toMatchObject({ id: session.id, status: 'running', reason: null });
    expect(Date.parse(started.expires_at)).toBeGreaterThan(life.deps.clock.now().getTime() + 50_000);
    expect(await run(life, alice, session.id, 'cat /workspace/file')).toBe('written');
  });
});

describe('an id', () => {
  it('that another user has is taken for the one and unknown to the other', TIMEOUT, async () => {
    const { session } = await life.services.ensureAnchored(alice, atlas, {}, wait);
    expect(await codeOf(life.services.ensureAnchored(bob, atlas, {}, wait))).toBe('anchor_taken');
    expect(await codeOf(life.services.ensureAnchored(service, atlas, { user: 'bob' }, wait))).toBe('anchor_taken');
    expect(await codeOf(life.services.getAnchored(bob, atlas))).toBe('not_found');
    expect(await codeOf(life.services.deleteAnchored(bob, atlas))).toBe('not_found');
    const { session: theirs } = await life.services.ensureAnchored(service, atlas, {}, wait);
    expect(theirs.id).toBe(session.id);
  });

  it('of a project wins where a conversation is named, whose path leads to the session, too', TIMEOUT, async () => {
    const { session } = await life.services.ensureAnchored(alice, { kind: 'conversation', id: 'talk' }, { project_id: atlas.id }, wait);
    expect(session).toMatchObject({ project_id: atlas.id, conversation_id: 'talk' });
    expect((await life.services.getAnchored(alice, atlas)).id).toBe(session.id);
    expect((await life.services.getAnchored(alice, { kind: 'conversation', id: 'talk' })).id).toBe(session.id);
  });

  it('that a back end names without a user owns its session itself', TIMEOUT, async () => {
    const { session } = await life.services.ensureAnchored(service, { kind: 'project', id: 'shop' }, {}, wait);
    expect(session).toMatchObject({ user: 'project:shop', status: 'running' });
  });
});
