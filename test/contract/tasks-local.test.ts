/** What only the local queue has to do by itself: leases, tombstones, several processes on one file, and their sudden end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { systemClock } from '../../shared/clock.ts';
import { type Database, openDatabase } from '../../shared/documents/database.ts';
import { type Deliver, type LocalQueue, type LocalQueueOptions, openLocalQueue } from '../../shared/tasks/local.ts';

const child = fileURLToPath(new URL('tasks-local-child.ts', import.meta.url));
let folder = '';
let file = '';
const opened: { queue: LocalQueue; database: Database }[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-queue-'));
  file = join(folder, 'data', 'berth.db');
});
afterEach(async () => {
  for (const { queue, database } of opened.splice(0)) {
    await queue.close();
    database.close();
  }
  rmSync(folder, { recursive: true });
});

function open(deliver: Deliver, options: Partial<LocalQueueOptions> = {}): LocalQueue {
  const database = openDatabase(file);
  const queue = openLocalQueue({ database, deliver, clock: systemClock, closeTimeoutMs: 100, ...options });
  opened.push({ queue, database });
  return queue;
}

/** Deliveries that were begun, as `name attempt`, each held until `release`. */
function held(): { deliver: Deliver; begun: string[]; release(): void; most(): number } {
  const begun: string[] = [];
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let running = 0;
  let most = 0;
  const deliver: Deliver = async (_target, _payload, { name, attempt }) => {
    begun.push(`${name} ${attempt}`);
    running += 1;
    most = Math.max(most, running);
    await gate;
    running -= 1;
    return 200;
  };
  return { deliver, begun, release, most: () => most };
}

const job = (name: string) => ({ name, target: 'job', payload: {} }) as const;

it('delivers again what a killed process was delivering, at once', async () => {
  const first = spawn(process.execPath, [child, file, 'hang'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const queue = open(async () => 200, { concurrency: 0 });
  await queue.enqueue(job('crashed'));
  const [line] = (await once(createInterface(first.stdout), 'line')) as [string];
  expect(line).toBe('crashed 1');
  first.kill('SIGKILL');
  await once(first, 'exit');
  const second = held();
  open(second.deliver);
  await vi.waitFor(() => expect(second.begun).toEqual(['crashed 2']), { timeout: 3_000 });
  second.release();
  await vi.waitFor(() => expect(queue.pending()).toBe(0));
}, 15_000);

it('leaves alone what a living process is delivering', async () => {
  const [first, second] = [held(), held()];
  const queue = open(first.deliver);
  await queue.enqueue(job('mine'));
  await vi.waitFor(() => expect(first.begun).toEqual(['mine 1']));
  const other = open(second.deliver);
  await other.enqueue(job('next'));
  await vi.waitFor(() => expect([...first.begun, ...second.begun]).toContain('next 1'), { timeout: 3_000 });
  expect([...first.begun, ...second.begun].toSorted()).toEqual(['mine 1', 'next 1']);
  first.release();
  second.release();
});

it('takes over what a living process holds beyond the dispatch deadline', async () => {
  let now = Date.now();
  const options = { clock: { now: () => new Date(now) } };
  const [stuck, second] = [held(), held()];
  const queue = open(stuck.deliver, { ...options, concurrency: 1 });
  await queue.enqueue(job('stuck'));
  await vi.waitFor(() => expect(stuck.begun).toEqual(['stuck 1']));
  const other = open(second.deliver, options);
  now += 11 * 60_000;
  await vi.waitFor(() => expect(second.begun).toEqual(['stuck 2']), { timeout: 3_000 });
  // The answer of the first comes too late to count.
  stuck.release();
  await queue.close();
  expect(other.pending()).toBe(1);
  second.release();
  await vi.waitFor(() => expect(other.pending()).toBe(0));
});

it('notices a task of another process within a second or so', async () => {
  const { deliver, begun, release } = held();
  release();
  const queue = open(deliver);
  await queue.enqueue(job('warm'));
  await vi.waitFor(() => expect(begun).toEqual(['warm 1']));
  const other = spawn(process.execPath, [child, file, 'enqueue', 'foreign'], { stdio: ['ignore', 'ignore', 'inherit'] });
  expect(await once(other, 'exit')).toEqual([0, null]);
  await vi.waitFor(() => expect(begun).toContain('foreign 1'), { timeout: 1_500 });
}, 15_000);

it('counts a delivery as failed after the dispatch deadline, and tells it', async () => {
  const signals: AbortSignal[] = [];
  const queue = open(
    async (_target, _payload, { attempt, signal }) => {
      signals.push(signal);
      return attempt === 1 ? new Promise<number>(() => undefined) : 200;
    },
    { dispatchDeadlineMs: 150 },
  );
  await queue.enqueue(job('slow'));
  await vi.waitFor(() => expect(queue.pending()).toBe(0), { timeout: 3_000 });
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

it('takes a rejection for a failure', async () => {
  const attempts: number[] = [];
  const queue = open(async (_target, _payload, { attempt }) => {
    attempts.push(attempt);
    if (attempt === 1) throw new Error('no');
    return 200;
  });
  await queue.enqueue(job('bumpy'));
  await vi.waitFor(() => expect(queue.pending()).toBe(0), { timeout: 3_000 });
  expect(attempts).toEqual([1, 2]);
});

it('delivers no more at once than it may, in the order of their times', async () => {
  const { deliver, begun, release, most } = held();
  const queue = open(deliver, { concurrency: 2 });
  const now = Date.now();
  for (const [index, name] of ['third', 'first', 'second'].entries()) {
    await queue.enqueue({ ...job(name), scheduleTime: new Date(now + ([260, 220, 240][index] ?? 0)) });
  }
  await vi.waitFor(() => expect(begun).toEqual(['first 1', 'second 1']));
  expect(queue.pending()).toBe(3);
  release();
  await vi.waitFor(() => expect(queue.pending()).toBe(0));
  expect(begun).toEqual(['first 1', 'second 1', 'third 1']);
  expect(most()).toBe(2);
});

it('keeps one kind of task from taking the place of the others, and the others from taking its own', async () => {
  const { deliver, begun, release } = held();
  const queue = open(deliver, { concurrency: 2, ownSlots: { webhook: 3 } });
  for (let n = 0; n < 6; n += 1) await queue.enqueue({ name: `hook${n}`, target: 'webhook', payload: {} });
  await vi.waitFor(() => expect(begun).toEqual(['hook0 1', 'hook1 1', 'hook2 1']));
  for (const name of ['a', 'b', 'c']) await queue.enqueue(job(name));
  await vi.waitFor(() => expect(begun.slice(3)).toEqual(['a 1', 'b 1']));
  expect(queue.pending()).toBe(9);
  release();
  await vi.waitFor(() => expect(queue.pending()).toBe(0));
  expect(begun.slice(5).toSorted()).toEqual(['c 1', 'hook3 1', 'hook4 1', 'hook5 1']);
});

it('sleeps while what is due has no place', async () => {
  let looks = 0;
  const clock = {
    now: () => {
      looks += 1;
      return new Date();
    },
  };
  const { deliver, begun, release } = held();
  const queue = open(deliver, { clock, ownSlots: { webhook: 1 } });
  for (const name of ['one', 'two']) await queue.enqueue({ name, target: 'webhook', payload: {} });
  await vi.waitFor(() => expect(begun).toEqual(['one 1']));
  looks = 0;
  // Of a timer's length: a queue that spins looks thousands of times within it.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(looks).toBeLessThan(20);
  release();
  await vi.waitFor(() => expect(queue.pending()).toBe(0));
});

it('keeps waiting tasks and blocked names when it is closed and opened again', async () => {
  const { deliver, begun, release } = held();
  release();
  const first = open(deliver);
  await first.enqueue(job('done'));
  await vi.waitFor(() => expect(first.pending()).toBe(0));
  await first.enqueue({ ...job('waiting'), scheduleTime: new Date(Date.now() + 600) });
  await first.close();
  const second = open(deliver);
  expect(await second.enqueue(job('done'))).toBe('duplicate');
  expect(second.pending()).toBe(1);
  await vi.waitFor(() => expect(begun).toEqual(['done 1', 'waiting 1']), { timeout: 3_000 });
});

it('forgets names after their time and not before', async () => {
  let now = Date.now();
  const options = { clock: { now: () => new Date(now) }, tombstoneMs: 3_600_000 };
  const first = open(async () => 200, options);
  await first.enqueue(job('once'));
  await vi.waitFor(() => expect(first.pending()).toBe(0));
  await first.close();
  now += 3_599_000;
  const second = open(async () => 200, options);
  expect(await second.enqueue(job('once'))).toBe('duplicate');
  await second.close();
  now += 2_000;
  expect(await open(async () => 200, options).enqueue(job('once'))).toBe('enqueued');
});

it('waits for running deliveries when it closes, and no longer than its bound', async () => {
  const { deliver, begun, release } = held();
  const patient = open(deliver, { closeTimeoutMs: 5_000 });
  await patient.enqueue(job('ends'));
  await vi.waitFor(() => expect(begun).toEqual(['ends 1']));
  const closing = patient.close();
  setTimeout(release, 50);
  await closing;
  expect(patient.pending()).toBe(0);

  let aborted: AbortSignal | undefined;
  const hasty = open(async (_target, _payload, { signal }) => {
    aborted = signal;
    return new Promise(() => undefined);
  });
  await hasty.enqueue(job('hangs'));
  await vi.waitFor(() => expect(aborted).toBeDefined());
  const begin = Date.now();
  await hasty.close();
  expect(Date.now() - begin).toBeLessThan(2_000);
  expect(aborted?.aborted).toBe(true);
  expect(hasty.pending()).toBe(1);
});
