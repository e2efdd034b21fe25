/**
 * Commands, in any image: the helper's own program is one.
 *
 * @module
 */
import { describe, expect, test } from 'vitest';
import { newId } from '../../../shared/ids.ts';
import { eventually } from '../kubernetes/rig.ts';
import { helper, lasts, never, run, soon, start, waits } from './run.ts';
import type { HelperSubject } from './subject.ts';

const MOST_AT_ONCE = 50;
/** Of the limit, until nothing of the command is left and the answer is here. */
const ANSWER_WITHIN_MS = 3_000;

export function describeExecutions({ way, open, image }: HelperSubject): void {
  describe.concurrent('a command', () => {
    test('has its outputs apart and its exit code', async () => {
      const version = await run(way().client, [helper, 'version']);
      expect(version).toMatchObject({ stderr: '', end: { end: 'exited', exit_code: 0, signal: null, message: null } });
      expect(version.stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
      expect(version.end.stdout_bytes).toBe(version.stdout.length);
      const usage = await run(way().client, [helper]);
      expect(usage).toMatchObject({ stdout: Buffer.alloc(0), end: { end: 'exited', exit_code: 2, stderr_bytes: usage.stderr.length } });
      expect(usage.stderr).toContain('usage');
    });

    test('that does not exist ends with 127, one that cannot be run with 126, and the words say so', async () => {
      const [missing, missingPath, folder] = await Promise.all([
        run(way().client, ['no-such-command']),
        run(way().client, ['/no/such/command']),
        run(way().client, ['/berth']),
      ]);
      expect(missing.end).toMatchObject({ end: 'exited', exit_code: 127 });
      expect(missingPath.end).toMatchObject({ end: 'exited', exit_code: 127 });
      expect(folder.end).toMatchObject({ end: 'exited', exit_code: 126 });
      for (const { end } of [missing, missingPath, folder]) expect(end.message).toMatch(/\w+ \w+/);
    });

    test('in a folder that is none ends with words', async () => {
      const { end } = await run(way().client, [helper, 'version'], { cwd: '/no/such/folder' });
      expect(end).toMatchObject({ end: 'exited' });
      expect([126, 127]).toContain(end.exit_code);
      expect(end.message).toContain('/no/such/folder');
    });

    test('reads its input to the end', async () => {
      expect((await run(way().client, waits, { stdin: Buffer.alloc(0) })).end.end).toBe('exited');
      expect((await run(way().client, waits)).end.end).toBe('exited');
    });

    test('is ended at its time limit, soon', async () => {
      const { end } = await run(way().client, lasts().argv, { ...lasts(), timeoutMs: 200 });
      expect(end).toMatchObject({ end: 'timed_out' });
      expect(end.duration_ms).toBeGreaterThanOrEqual(200);
      expect(end.duration_ms).toBeLessThan(200 + ANSWER_WITHIN_MS);
    });

    test('gets the signals that it is sent, and tells by which one it ended', async () => {
      const id = newId();
      const records = start(way().client, waits, { id, stdin: never() });
      expect((await records.next()).value).toMatchObject({ type: 'started' });
      await way().client.executions.signal(id, 'KILL', soon());
      expect((await records.next()).value).toMatchObject({ type: 'end', end: 'signaled', exit_code: 137, signal: 'KILL' });
    });

    test('ends with the wait of its caller', async () => {
      const id = newId();
      const abort = new AbortController();
      const records = start(way().client, waits, { id, stdin: never(), signal: abort.signal });
      await records.next();
      abort.abort(new Error('given up'));
      await expect(records.next()).rejects.toThrow('given up');
      // A repeat of the id joins what is left of it: its result.
      await using other = open();
      const again = await run(other.client, waits, { id, stdin: never() });
      expect(again.end.end).toBe('cancelled');
    });

    test('can be cancelled by its id, and nothing is left of it then', async () => {
      const id = newId();
      const records = start(way().client, waits, { id, stdin: never() });
      await records.next();
      await way().client.executions.cancel(id, soon());
      expect((await records.next()).value).toMatchObject({ type: 'end', end: 'cancelled' });
      await expect(way().client.executions.signal(newId(), 'TERM', soon())).rejects.toMatchObject({ code: 'not_found' });
    });

    test('runs once by its id, whoever asks again', async () => {
      const id = newId();
      const first = await run(way().client, [helper, 'version'], { id });
      await using other = open();
      expect(await run(other.client, [helper, 'version'], { id })).toEqual(first);
      // Of two at the same time the later one takes over, and gets all of it.
      const both = newId();
      const earlier = start(way().client, waits, { id: both, stdin: never() });
      const { value: began } = await earlier.next();
      const later = run(other.client, waits, { id: both, stdin: never() });
      await expect(earlier.next()).rejects.toMatchObject({ name: 'AppError' });
      await other.client.executions.signal(both, 'KILL', soon());
      const { pid, end } = await later;
      expect([began, end.end]).toEqual([{ type: 'started', pid }, 'signaled']);
    });
  });

  describe('commands', () => {
    test('run fifty at once, and one more is refused', async () => {
      const { client } = way();
      await eventually(async () => (await client.stats(soon())).executions === 0, 10_000);
      const abort = new AbortController();
      // Children of a shell are smaller than fifty helpers.
      const argv = image.shell ? ['cat'] : waits;
      const records = Array.from({ length: MOST_AT_ONCE }, () => start(client, argv, { stdin: never(), signal: abort.signal }));
      try {
        await Promise.all(records.map((each) => each.next()));
        expect((await client.stats(soon())).executions).toBe(MOST_AT_ONCE);
        await expect(run(client, [helper, 'version'])).rejects.toMatchObject({ code: 'too_many_executions' });
      } finally {
        abort.abort();
      }
      await Promise.allSettled(records.map((each) => each.next()));
      await eventually(async () => (await client.stats(soon())).executions === 0, ANSWER_WITHIN_MS);
      expect((await run(client, [helper, 'version'])).end.exit_code).toBe(0);
    });

    test('leave no process and no descriptor behind', async () => {
      const { client } = way();
      const count = async (): Promise<readonly number[]> => {
        const { processes, executions, helper: own } = await client.stats(soon());
        return [processes, executions, own.descriptors];
      };
      const before = await count();
      await Promise.all(Array.from({ length: 20 }, () => run(client, [helper, 'version'])));
      await run(client, waits, { stdin: never(), timeoutMs: 50 });
      await eventually(async () => (await count()).every((now, index) => now <= (before[index] ?? 0)), ANSWER_WITHIN_MS);
    });
  });
}
