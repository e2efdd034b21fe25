import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freshName, implementations, invalid, type QueueFixture, type Received } from './tasks-fixture.ts';

const DAY_MS = 24 * 3_600_000;

describe.each(implementations)('tasks on $name', ({ start, missing }) => {
  if (missing !== undefined) return void it.skip(missing);
  let fixture: QueueFixture;
  /** Names whose deliveries fail, and with what, until they are taken out. */
  const failing = new Map<string, number>();
  beforeAll(async () => {
    fixture = await start(({ name }) => failing.get(name) ?? 204);
  });
  afterAll(() => fixture.close());

  const of = (name: string): Received[] => fixture.received.filter((delivery) => delivery.name === name);
  const received = (name: string, times = 1): Promise<void> =>
    vi.waitFor(() => expect(of(name).length).toBeGreaterThanOrEqual(times), { timeout: 8_000, interval: 10 });
  /** A task that is due at `time` was surely not delivered when one that was enqueued after it and due later is. */
  const soon = (milliseconds: number): Date => new Date(Date.now() + milliseconds);

  it('delivers a task once, with its payload intact', async () => {
    const name = freshName();
    const payload = { text: 'Ünïcödé 🚢 "\\\n', n: 1.5, none: null, list: [1, { a: true }], empty: {} };
    expect(await fixture.queue.enqueue({ name, target: 'provision', payload })).toBe('enqueued');
    await received(name);
    const marker = freshName();
    await fixture.queue.enqueue({ name: marker, target: 'job', payload: {}, scheduleTime: soon(600) });
    await received(marker);
    expect(of(name)).toEqual([expect.objectContaining({ target: 'provision', payload, attempt: 1 })]);
    expect(of(marker)).toEqual([expect.objectContaining({ target: 'job', payload: {} })]);
  });

  it('delivers at its time or after, and what was due in the past at once', async () => {
    const [later, past] = [freshName(), freshName()];
    const time = soon(700);
    await fixture.queue.enqueue({ name: later, target: 'expire', payload: {}, scheduleTime: time });
    await fixture.queue.enqueue({ name: past, target: 'expire', payload: {}, scheduleTime: new Date(Date.now() - DAY_MS) });
    await received(past);
    expect(of(later)).toEqual([]);
    await received(later);
    expect(of(later)[0]?.at).toBeGreaterThanOrEqual(time.getTime());
    expect(of(later)[0]?.at).toBeLessThan(time.getTime() + 3_000);
  });

  it('collapses tasks of one name, waiting or done', async () => {
    const name = freshName();
    const task = { name, target: 'job', payload: {}, scheduleTime: soon(300) } as const;
    const outcomes = await Promise.all(Array.from({ length: 5 }, () => fixture.queue.enqueue(task)));
    expect(outcomes.toSorted()).toEqual(['duplicate', 'duplicate', 'duplicate', 'duplicate', 'enqueued']);
    await received(name);
    expect(await fixture.queue.enqueue({ ...task, target: 'expire' })).toBe('duplicate');
    expect(of(name)).toHaveLength(1);
  });

  it('tries again after a failure, with backoff and a count of attempts', async () => {
    const name = freshName();
    failing.set(name, 500);
    await fixture.queue.enqueue({ name, target: 'webhook', payload: { n: 1 } });
    await received(name, 3);
    failing.set(name, 404);
    await received(name, 4);
    failing.delete(name);
    await received(name, 5);
    const deliveries = of(name);
    expect(deliveries.map(({ attempt }) => attempt).slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(deliveries.every(({ payload }) => JSON.stringify(payload) === '{"n":1}')).toBe(true);
    const gaps = deliveries.slice(1).map(({ at }, index) => at - (deliveries[index]?.at ?? 0));
    expect(gaps[0]).toBeGreaterThanOrEqual(90);
    expect(gaps[2]).toBeGreaterThanOrEqual(200);
    expect(await fixture.queue.enqueue({ name, target: 'webhook', payload: {} })).toBe('duplicate');
  }, 20_000);

  it('delivers others while one keeps failing', async () => {
    const [bad, good] = [freshName(), freshName()];
    failing.set(bad, 503);
    await fixture.queue.enqueue({ name: bad, target: 'job', payload: {} });
    await received(bad);
    await fixture.queue.enqueue({ name: good, target: 'job', payload: {} });
    await received(good);
    expect(of(good)).toHaveLength(1);
    failing.delete(bad);
  });

  it('delivers a burst, each once', async () => {
    const names = Array.from({ length: 60 }, freshName);
    expect(new Set(await Promise.all(names.map((name) => fixture.queue.enqueue({ name, target: 'job', payload: { name } }))))).toEqual(
      new Set(['enqueued']),
    );
    await Promise.all(names.map((name) => received(name)));
    for (const name of names) expect(of(name)).toEqual([expect.objectContaining({ payload: { name } })]);
  }, 20_000);

  it('withdraws what waits, leaves alone what is done or unknown, and keeps the name blocked', async () => {
    const [waiting, done] = [freshName(), freshName()];
    await fixture.queue.enqueue({ name: waiting, target: 'job', payload: {}, scheduleTime: soon(600) });
    await fixture.queue.enqueue({ name: done, target: 'job', payload: {} });
    await received(done);
    for (const name of [waiting, waiting, done, freshName()]) await fixture.queue.withdraw(name);
    expect(await fixture.queue.enqueue({ name: waiting, target: 'job', payload: {} })).toBe('duplicate');
    const marker = freshName();
    await fixture.queue.enqueue({ name: marker, target: 'job', payload: {}, scheduleTime: soon(900) });
    await received(marker);
    expect([of(waiting), of(done)].map(({ length }) => length)).toEqual([0, 1]);
  });

  it.each([
    ['of no characters', ''],
    ['of 501 characters', 'x'.repeat(501)],
    ['with a space', 'a b'],
    ['with a slash', 'a/b'],
    ['with a dot', 'a.b'],
    ['beyond ASCII', 'ä'],
  ])('refuses a name %s', async (_what, name) => {
    await expect(fixture.queue.enqueue({ name, target: 'job', payload: {} })).rejects.toMatchObject(invalid);
    await expect(fixture.queue.withdraw(name)).rejects.toMatchObject(invalid);
  });

  it('takes a name of 500 characters', async () => {
    const name = freshName().padEnd(500, '_-aZ9');
    expect(await fixture.queue.enqueue({ name, target: 'job', payload: {} })).toBe('enqueued');
    await received(name);
    expect(of(name)).toHaveLength(1);
  });

  it('takes a payload of 100 KiB and refuses more', async () => {
    const name = freshName();
    const payload = { text: 'é'.repeat((100 * 1_024 - '{"text":""}'.length - 1) / 2) };
    await fixture.queue.enqueue({ name, target: 'job', payload });
    await received(name);
    expect(of(name)[0]?.payload).toEqual(payload);
    const more = { text: `${payload.text}éé` };
    await expect(fixture.queue.enqueue({ name: freshName(), target: 'job', payload: more })).rejects.toMatchObject(invalid);
  });

  it('takes a task 30 days ahead and refuses one further away', async () => {
    const name = freshName();
    expect(await fixture.queue.enqueue({ name, target: 'expire', payload: {}, scheduleTime: soon(30 * DAY_MS - 1_000) })).toBe('enqueued');
    await fixture.queue.withdraw(name);
    for (const scheduleTime of [soon(30 * DAY_MS + 60_000), new Date(Number.NaN)]) {
      await expect(fixture.queue.enqueue({ name: freshName(), target: 'expire', payload: {}, scheduleTime })).rejects.toMatchObject(
        invalid,
      );
    }
  });
});
