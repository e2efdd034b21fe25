/**
 * Death after every single write to store, queue or cluster on the paths of create and delete, each once (design §5).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { newId } from '../../shared/ids.ts';
import { disagreements } from '../fakes/agreement.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { startLife, type Life } from '../fakes/life.ts';
import { Mortal } from '../fakes/mortal.ts';

const RECOVERY_MS = 60_000;
/** The safety nets and the sweep leave young sessions to those who are at them; the next life begins when they no longer do. */
const LATER_MS = 45_000;

let cluster: EmbeddedCluster;
let directory: string;

beforeAll(async () => {
  cluster = await startEmbeddedCluster();
  directory = await mkdtemp(join(tmpdir(), 'berth-deaths-'));
});

afterAll(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

const caller: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
const request = { env: { TOKEN: 'x' } };

async function create(life: Life): Promise<string> {
  return (await life.services.createSession(caller, request, { waitSeconds: 30, idempotencyKey: 'once' })).session.id;
}

/** What a life does until it dies; the promise may stay open for ever. */
type Act = (life: Life) => Promise<unknown>;

async function prepare(name: string): Promise<{ life(mortal?: Mortal, aheadMs?: number): Promise<Life> }> {
  const databaseFile = join(directory, `${name}.db`);
  const installation = newId().slice(0, 10);
  return {
    life: (mortal, aheadMs = 0) =>
      startLife({ databaseFile, installation, kubeconfigFile: cluster.kubeconfigFile, aheadMs, ...(mortal === undefined ? {} : { mortal }) }),
  };
}

async function liveAndDie(name: string, dieAfter: number, before: Act, act: Act): Promise<{ writes: readonly string[]; completed: boolean; left: readonly string[] }> {
  const world = await prepare(name);
  const healthy = await world.life();
  await before(healthy);
  await healthy.end();
  const mortal = new Mortal(dieAfter);
  const doomed = await world.life(mortal);
  const completed = await Promise.race([act(doomed).then(() => true, () => false), mortal.died.then(() => false)]);
  await doomed.end();
  const next = await world.life(undefined, LATER_MS);
  const left = await recover(next);
  await clean(next);
  await next.end();
  return { writes: mortal.writes, completed, left };
}

/** Sweeps, and lets the tasks run, until nothing is wrong; answers what still is when time is up. */
async function recover(life: Life): Promise<readonly string[]> {
  const end = performance.now() + RECOVERY_MS;
  for (;;) {
    await life.services.sweep();
    const left = await disagreements(life.deps);
    if (left.length === 0 || performance.now() > end) return left;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function clean(life: Life): Promise<void> {
  const { sessions } = await life.services.listSessions(caller, { labels: {}, limit: 100 });
  for (const session of sessions) await life.services.deleteSession(caller, session.id);
  await life.services.sweep();
}

async function deleteAll(life: Life): Promise<void> {
  const { sessions } = await life.services.listSessions(caller, { labels: {}, limit: 100 });
  for (const session of sessions) await life.services.deleteSession(caller, session.id);
}

const paths: readonly (readonly [string, Act, Act])[] = [
  ['create', async () => {}, create],
  ['delete', create, deleteAll],
];

describe.each(paths)('a death on the path of %s', (name, before, act) => {
  it('leaves nothing half done, whichever write it follows', { timeout: 240_000 }, async () => {
    const whole = await liveAndDie(`${name}-whole`, Infinity, before, act);
    expect(whole.completed).toBe(true);
    expect(whole.left).toEqual([]);
    expect(whole.writes.length).toBeGreaterThanOrEqual(name === 'create' ? 12 : 5);
    for (let dieAfter = 1; dieAfter <= whole.writes.length; dieAfter += 1) {
      const died = await liveAndDie(`${name}-${dieAfter}`, dieAfter, before, act);
      expect(died.left, `after ${died.writes.at(-1)} (write ${dieAfter})`).toEqual([]);
    }
  });
});
