/**
 * The channel to a pod's helper.
 *
 * @module
 */
import { channelKinds } from '../../../shared/helper/model.ts';
import { describe, expect, test } from 'vitest';
import { eventually } from '../kubernetes/rig.ts';
import { lasts, never, rest, run, soon, start, waits } from './run.ts';
import type { HelperSubject } from './subject.ts';

export function describeChannel({ open }: HelperSubject): void {
  describe('the channel', () => {
    test('is opened once by a hundred calls at the same time', async () => {
      await using way = open();
      const answers = await Promise.all(Array.from({ length: 100 }, () => way.client.health(soon())));
      expect(new Set(answers.map(({ boot_id }) => boot_id)).size).toBe(1);
      expect([way.tap.opened(), way.pool.size]).toEqual([1, 1]);
    });

    test('answers a ping', async () => {
      await using way = open();
      const channel = await way.pool.channel(way.target, soon());
      expect(channelKinds).toContain(channel.kind);
      await expect(channel.ping(2_000)).resolves.toBeUndefined();
    });

    test('is closed when it is not used, and opened again by the next call', async () => {
      await using way = open({ idleMs: 100 });
      await way.client.health(soon());
      expect(way.pool.size).toBe(1);
      await eventually(() => Promise.resolve(way.pool.size === 0), 2_000);
      await way.client.health(soon());
      expect(way.tap.opened()).toBe(2);
    });

    test('stays open while something runs over it', async () => {
      await using way = open({ idleMs: 50 });
      const { end } = await run(way.client, waits, { stdin: never(), timeoutMs: 300 });
      expect(end.end).toBe('timed_out');
      expect(way.tap.opened()).toBe(1);
    });

    test('is opened again after it was cut', async () => {
      await using way = open();
      const before = await way.client.health(soon());
      way.tap.cut();
      expect(await way.client.health(soon())).toEqual(before);
      expect(way.tap.opened()).toBe(2);
    });

    test('is joined again by what runs when it is cut', async () => {
      await using way = open();
      const { argv, env } = lasts();
      const records = start(way.client, argv, { env, timeoutMs: 500 });
      expect((await records.next()).value).toMatchObject({ type: 'started' });
      way.tap.cut();
      expect((await rest(records)).at(-1)).toMatchObject({ type: 'end', end: 'timed_out' });
      expect(way.tap.opened()).toBe(2);
    });

    test('leads to one pod alone: not to a later one of the same name', async () => {
      await using way = open({ target: { podUid: '00000000-0000-4000-8000-000000000000' } });
      await expect(way.client.health(soon())).rejects.toMatchObject({ code: 'conflict', detail: "The session's pod is gone." });
    });

    test('to a pod that is not there is refused in words', async () => {
      await using way = open({ target: { pod: 'berth-none' } });
      await expect(way.client.health(soon())).rejects.toMatchObject({ code: 'conflict', detail: "The session's pod is gone." });
    });

    test('is given up with its last caller', async () => {
      await using way = open();
      const reason = new Error('given up');
      await expect(way.pool.channel(way.target, AbortSignal.abort(reason))).rejects.toBe(reason);
      const abort = new AbortController();
      const opening = way.pool.channel(way.target, abort.signal);
      abort.abort(reason);
      await expect(opening).rejects.toBe(reason);
      expect(way.pool.size).toBe(0);
    });
  });
}
