/**
 * 1,000 sessions whose deadlines lie within one minute: they end in time, and nothing of them is left.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { disagreements } from '../fakes/agreement.ts';
import { startBerth, type BerthProcess } from '../fakes/berth-process.ts';
import { startObserver, type Observer } from '../fakes/observer.ts';

const SESSIONS = 1000;
const AT_ONCE = 10;
const MINUTE_MS = 60_000;
/** So that a thousand of them find room on one small machine. */
const tiny = { cpu: '100m', memory: '64Mi', cpu_requests: '1m', memory_requests: '8Mi' };

let directory: string;
let berth: BerthProcess;
let observer: Observer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-soak-'));
  berth = await startBerth({ directory, env: { BERTH_NAMESPACE_LINGER_SECONDS: '0' } });
  observer = await startObserver(directory);
});

afterAll(async () => {
  await observer.end();
  await berth.stop();
  await rm(directory, { recursive: true, force: true });
});

async function inParallel<T>(items: readonly T[], call: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const work = async (): Promise<void> => {
    for (const item of rest) await call(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function documents(): Promise<readonly SessionDocument[]> {
  const { documents: found } = await observer.deps.store.query<SessionDocument>('sessions', { limit: SESSIONS });
  return found.map(({ data }) => data);
}

it('ends them within a minute of their deadlines', async () => {
  const ids: string[] = [];
  await inParallel(Array.from({ length: SESSIONS }), async () => {
    const created = await berth.call('POST', '/v1/sessions', { ttl_minutes: 120, resource_limits: tiny });
    expect(created, JSON.stringify(created.body)).toMatchObject({ status: 201, body: { status: 'running' } });
    ids.push(String(created.body['id']));
  });
  await inParallel(ids, async (id) => {
    expect((await berth.call('PATCH', `/v1/sessions/${id}`, { ttl_minutes: 1 })).status).toBe(200);
  });
  const deadlines = (await documents()).map((session) => Date.parse(session.expires_at));
  expect(Math.max(...deadlines) - Math.min(...deadlines)).toBeLessThan(MINUTE_MS);

  // Two sweeps after the last deadline there is nothing left that could still end.
  const survivors = async (): Promise<number> => (await documents()).filter(({ status }) => status !== 'terminated').length;
  const patience = Math.max(...deadlines) - Date.now() + 2 * MINUTE_MS;
  await expect.poll(survivors, { timeout: patience, interval: 1000 }).toBe(0);

  const late = (await documents()).map((session) => Date.parse(session.terminated_at ?? '') - Date.parse(session.expires_at));
  const sorted = late.toSorted((left, right) => left - right);
  const inTime = late.filter((milliseconds) => milliseconds <= MINUTE_MS).length;
  console.log(
    `${SESSIONS} deadlines: ended after ${sorted[SESSIONS / 2]} ms (median), ${sorted.at(-1)} ms (last); ${inTime} within a minute`,
  );
  expect(inTime / SESSIONS).toBeGreaterThanOrEqual(0.999);
  await expect.poll(() => disagreements(observer.deps), { timeout: 2 * MINUTE_MS, interval: 1000 }).toEqual([]);
});
