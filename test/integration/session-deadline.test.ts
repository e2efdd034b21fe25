/**
 * A session ends at its deadline, by its task alone.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { disagreements } from '../fakes/agreement.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { startLife } from '../fakes/life.ts';

const alice: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
const MINUTE_MS = 60_000;

let cluster: EmbeddedCluster;
let directory: string;

beforeAll(async () => {
  cluster = await startEmbeddedCluster();
  directory = await mkdtemp(join(tmpdir(), 'berth-deadline-'));
});

afterAll(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('a session with a minute to live', () => {
  it('is there before its deadline, and gone with all it held after it, without a sweep', { timeout: 30_000 }, async () => {
    const world = { databaseFile: join(directory, 'berth.db'), kubeconfigFile: cluster.kubeconfigFile, installation: 'deadline' };
    const first = await startLife(world);
    const { session } = await first.services.createSession(alice, { ttl_minutes: 1 }, { waitSeconds: 20 });
    const long = await first.services.createSession(alice, { ttl_minutes: 10 }, { waitSeconds: 20 });
    await first.end();

    const early = await startLife({ ...world, aheadMs: MINUTE_MS - 20_000 });
    expect((await early.services.getSession(alice, session.id)).status).toBe('running');
    await early.end();

    const late = await startLife({ ...world, aheadMs: MINUTE_MS + 1000 });
    await expect.poll(async () => (await late.services.getSession(alice, session.id)).status, { timeout: 15_000 }).toBe('terminated');
    expect((await late.services.getSession(alice, long.session.id)).status).toBe('running');
    expect(await disagreements(late.deps)).toEqual([]);
    await late.services.deleteSession(alice, long.session.id);
    await late.end();
  });
});
