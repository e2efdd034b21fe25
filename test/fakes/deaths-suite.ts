/**
 * Death after every single write to store, queue or cluster on the paths of create, delete, stop, start and restart, each once (design §5).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../shared/auth/caller.ts';
import { newId } from '../../shared/ids.ts';
import { disagreements } from './agreement.ts';
import { startLife, type Life } from './life.ts';
import { Mortal } from './mortal.ts';

const RECOVERY_MS = 60_000;
/** The safety nets and the sweep leave young sessions to those who are at them; the next life begins when they no longer do. */
const LATER_MS = 90_000;

const caller: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };
/** With a Secret and a claim, so that there is as much as can be left behind. */
const request = { env: { TOKEN: 'x' }, request_persistent_storage: true };

/** What a life does until it dies; the promise may stay open for ever. */
type Act = (life: Life) => Promise<unknown>;

interface World {
  readonly databaseFile: string;
  readonly installation: string;
  readonly kubeconfigFile: string;
  readonly env: Readonly<Record<string, string>>;
}

async function create(life: Life): Promise<void> {
  await life.services.createSession(caller, request, { waitSeconds: 30, idempotencyKey: 'once' });
}

async function deleteAll(life: Life): Promise<void> {
  const { sessions } = await life.services.listSessions(caller, { labels: {}, limit: 100 });
  for (const session of sessions) await life.services.deleteSession(caller, session.id);
}

async function theOnly(life: Life): Promise<string> {
  const { sessions } = await life.services.listSessions(caller, { labels: {}, limit: 1 });
  return sessions[0]?.id ?? '';
}

async function stopAndStart(life: Life): Promise<void> {
  const id = await theOnly(life);
  await life.services.stopSession(caller, id, { waitSeconds: 30 });
  await life.services.startSession(caller, id, { waitSeconds: 30 });
}

async function restart(life: Life): Promise<void> {
  await life.services.restartSession(caller, await theOnly(life), { waitSeconds: 30 });
}

async function liveOnce(world: World, act: Act): Promise<void> {
  const life = await startLife(world);
  await act(life);
  await life.end();
}

/** Acts until death, and answers whether the act came to its end before. */
async function liveAndDie(world: World, mortal: Mortal, act: Act): Promise<boolean> {
  const doomed = await startLife({ ...world, mortal });
  const ended = act(doomed).then(
    () => true,
    () => false,
  );
  const completed = await Promise.race([ended, mortal.died.then(() => false)]);
  await doomed.end();
  return completed;
}

/** The next life: sweeps, and lets the tasks run, until nothing is wrong; answers what still is when time is up. Then cleans up. */
async function recover(world: World): Promise<readonly string[]> {
  const life = await startLife({ ...world, aheadMs: LATER_MS });
  const end = performance.now() + RECOVERY_MS;
  let left: readonly string[];
  for (;;) {
    await life.services.sweep();
    left = await disagreements(life.deps);
    if (left.length === 0 || performance.now() > end) break;
    await sleep(50);
  }
  await deleteAll(life);
  await life.services.sweep();
  await life.end();
  return left;
}

const paths: readonly (readonly [string, Act, Act, number])[] = [
  ['create', async () => {}, create, 12],
  ['delete', create, deleteAll, 5],
  ['stop and start', create, stopAndStart, 8],
  ['restart', create, restart, 8],
];

/** The suite against one cluster. */
export function describeDeaths(kubeconfigFile: () => string): void {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'berth-deaths-'));
  });

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const newWorld = (name: string): World => ({
    databaseFile: join(directory, `${name}.db`),
    installation: newId().slice(0, 10),
    kubeconfigFile: kubeconfigFile(),
    // Worlds that follow one another share the cluster: the namespace of the last may not be gone yet.
    env: { BERTH_NAMESPACE_PREFIX: `berth-${newId().slice(0, 8)}` },
  });

  describe.each(paths)('a death on the path of %s', (name, before, act, fewestWrites) => {
    it('leaves nothing half done, whichever write it follows', { timeout: 300_000 }, async () => {
      const whole = newWorld(`${name}-whole`);
      await liveOnce(whole, before);
      const immortal = new Mortal(Infinity);
      expect(await liveAndDie(whole, immortal, act)).toBe(true);
      expect(await recover(whole)).toEqual([]);
      expect(immortal.writes.length).toBeGreaterThanOrEqual(fewestWrites);
      for (let dieAfter = 1; dieAfter <= immortal.writes.length; dieAfter += 1) {
        const world = newWorld(`${name}-${dieAfter}`);
        await liveOnce(world, before);
        const mortal = new Mortal(dieAfter);
        await liveAndDie(world, mortal, act);
        expect(mortal.writes).toHaveLength(dieAfter);
        expect(await recover(world), `after ${mortal.writes.at(-1)} (write ${dieAfter})`).toEqual([]);
      }
    });
  });
}
