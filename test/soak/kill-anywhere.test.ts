/**
 * `kill -9` of the service at twenty random moments of creating and deleting: after each restart every session is running, failed with
 * a reason, or gone, and store and cluster agree within a minute.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { disagreements } from '../fakes/agreement.ts';
import { startBerth, type BerthProcess } from '../fakes/berth-process.ts';
import { startObserver } from '../fakes/observer.ts';

const KILLS = 20;
const AGREE_MS = 60_000;

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-kill-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Creates and deletes, four at a time, until the service is gone. */
async function hammer(berth: BerthProcess): Promise<void> {
  const worker = async (): Promise<void> => {
    for (;;) {
      const created = await berth.call('POST', '/v1/sessions', { env: { A: '1' } });
      if (Math.random() < 0.7) await berth.call('DELETE', `/v1/sessions/${String(created.body['id'])}`);
    }
  };
  await Promise.allSettled([worker(), worker(), worker(), worker()]);
}

it('leaves nothing half done', async () => {
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const victim = await startBerth({ directory });
    const hammering = hammer(victim);
    const afterMs = Math.round(Math.random() * 1500);
    await sleep(afterMs);
    await victim.kill();
    await hammering;

    const next = await startBerth({ directory, env: { BERTH_SWEEP_SECONDS: '5' } });
    const observer = await startObserver(directory);
    const startedAt = performance.now();
    let left: readonly string[];
    do {
      await sleep(250);
      left = await disagreements(observer.deps);
    } while (left.length > 0 && performance.now() - startedAt < AGREE_MS);
    await observer.end();
    console.log(`kill ${kill}, after ${afterMs} ms: agreed within ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
    expect(left).toEqual([]);
    const { sessions } = (await next.call('GET', '/v1/sessions?limit=200')).body as { sessions: { id: string; status: string }[] };
    for (const { id, status } of sessions) if (status !== 'terminated') await next.call('DELETE', `/v1/sessions/${id}`);
    await next.stop();
  }
});
