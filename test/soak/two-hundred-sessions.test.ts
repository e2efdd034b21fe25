/**
 * 200 sessions created and deleted, 20 at a time, three times over: all succeed and nothing is left behind.
 */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readEndpoint } from '../../dev/cluster/endpoint.ts';
import { openDatabase } from '../../shared/documents/database.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';
import { startBerth, type BerthProcess } from '../fakes/berth-process.ts';
import { processesUsing } from '../fakes/processes.ts';

const BATCH = 200;
const AT_ONCE = 20;

let directory: string;
let berth: BerthProcess;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-soak-'));
  berth = await startBerth({ directory, env: { BERTH_SWEEP_SECONDS: '5', BERTH_NAMESPACE_LINGER_SECONDS: '0' } });
});

afterAll(async () => {
  await berth.stop();
  await rm(directory, { recursive: true, force: true });
});

async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

async function oneSession(): Promise<void> {
  const created = await berth.call('POST', '/v1/sessions', {});
  expect(created, JSON.stringify(created.body)).toMatchObject({ status: 201, body: { status: 'running' } });
  const path = `/v1/sessions/${String(created.body['id'])}`;
  expect((await berth.call('POST', `${path}/execute`, { command: 'echo hi' })).body).toMatchObject({ stdout: 'hi\n' });
  expect((await berth.call('DELETE', path)).status).toBe(200);
}

async function batch(): Promise<void> {
  let left = BATCH;
  const worker = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await oneSession();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

async function leftovers(): Promise<unknown> {
  const clusterPid = readEndpoint(join(directory, 'cluster'))?.pid;
  const processes = (await processesUsing(directory)).filter((line) => ![berth.pid, clusterPid].includes(Number(line.split(' ', 1)[0])));
  const pods = await readdir(join(directory, 'cluster', 'pods')).catch(() => []);
  const database = openDatabase(join(directory, 'berth.db'));
  try {
    const store = openSqlite({ database });
    const alive = (await store.query<{ status: string }>('sessions', { limit: 1000 })).documents.filter(
      ({ data }) => data.status !== 'terminated',
    );
    const holds = (await store.query<{ holds: object }>('users', { limit: 10 })).documents.flatMap(({ data }) => Object.keys(data.holds));
    const namespaces = (await store.query('namespaces', { limit: 10 })).documents.length;
    const tasks = database.sql.prepare('SELECT count(*) AS count FROM tasks WHERE done_at IS NULL').get();
    return { processes, pods, alive: alive.length, holds, namespaces, tasks: tasks?.['count'] };
  } finally {
    database.close();
  }
}

it('leaves nothing behind, and does not grow', async () => {
  const rounds: number[] = [];
  for (let round = 1; round <= 3; round += 1) {
    const startedAt = performance.now();
    await batch();
    await expect
      .poll(leftovers, { timeout: 60_000, interval: 1000 })
      .toEqual({ processes: [], pods: [], alive: 0, holds: [], namespaces: 0, tasks: 0 });
    const service = await residentMib(berth.pid);
    const cluster = await residentMib(readEndpoint(join(directory, 'cluster'))?.pid ?? 0);
    rounds.push(service + cluster);
    const seconds = (performance.now() - startedAt) / 1000;
    console.log(`round ${round}: ${seconds.toFixed(1)} s, service ${service.toFixed(0)} MiB, cluster ${cluster.toFixed(0)} MiB`);
  }
  const [, second = 0, third = Infinity] = rounds;
  expect(third / second).toBeLessThan(1.05);
});
