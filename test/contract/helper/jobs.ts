/**
 * Jobs: commands that nobody waits for.
 *
 * @module
 */
import { buffer, text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { newId } from '../../../shared/ids.ts';
import { eventually } from '../kubernetes/rig.ts';
import { countProcesses, helper, lasts, sh, soon, uniqueSeconds } from './run.ts';
import type { HelperSubject } from './subject.ts';

const WAIT_MS = 5_000;

export function describeJobs(subject: HelperSubject): void {
  const { way, open, image } = subject;
  describe.concurrent('a job', () => {
    test('keeps its outputs and its result after its end, for whoever asks', async () => {
      const id = newId();
      const { jobs } = way().client;
      expect(await jobs.start(id, { argv: [helper] }, soon())).toMatchObject({ id });
      const ended = await jobs.get(id, soon(), WAIT_MS);
      expect(ended).toMatchObject({ status: 'ended', end: 'exited', exit_code: 2, signal: null, stdout_bytes: 0, oom_killed: false });
      expect(await jobs.start(id, { argv: [helper] }, soon())).toEqual(ended);
      await using other = open();
      const whole = await other.client.jobs.read(id, 'stderr', { offset: 0, limit: 100_000 }, soon());
      expect(whole.bytes.toString()).toContain('usage');
      expect(whole.nextOffset).toBe(ended.stderr_bytes);
      const part = await jobs.read(id, 'stderr', { offset: 2, limit: 5 }, soon());
      expect([part.bytes, part.nextOffset]).toEqual([whole.bytes.subarray(2, 7), 7]);
      expect((await jobs.list(soon())).map((job) => job.id)).toContain(id);
      await jobs.remove(id, soon());
      await expect(jobs.get(id, soon())).rejects.toMatchObject({ code: 'not_found' });
    });

    test('that does not exist as a program has ended with 127', async () => {
      const id = newId();
      await way().client.jobs.start(id, { argv: ['no-such-command'] }, soon());
      const ended = await way().client.jobs.get(id, soon(), WAIT_MS);
      expect(ended).toMatchObject({ status: 'ended', end: 'exited', exit_code: 127 });
      expect(ended.message).toMatch(/\w+ \w+/);
    });

    test('is ended at its deadline', async () => {
      const id = newId();
      await way().client.jobs.start(id, { ...lasts(), deadlineMs: 200 }, soon());
      expect(await way().client.jobs.get(id, soon(), WAIT_MS)).toMatchObject({ status: 'ended', end: 'deadline' });
    });

    test('can be cancelled, also after its connection was cut', async () => {
      await using other = open();
      const id = newId();
      await other.client.jobs.start(id, lasts(), soon());
      other.tap.cut();
      expect(await other.client.jobs.get(id, soon())).toMatchObject({ status: 'running', end: null, exit_code: null });
      await other.client.jobs.cancel(id, soon());
      expect(await other.client.jobs.get(id, soon(), WAIT_MS)).toMatchObject({ status: 'ended', end: 'cancelled' });
    });
  });
  if (image.shell) describeScripts(subject);
}

function describeScripts({ way }: HelperSubject): void {
  describe.concurrent('a script as a job', () => {
    test('is followed while it runs, from any byte on', async () => {
      const id = newId();
      const { jobs } = way().client;
      const script = 'read -r word; echo "one $word"; while [ ! -e "$1" ]; do sleep 0.05; done; echo two; echo oops >&2';
      const file = `/tmp/${id}`;
      await jobs.start(id, { argv: sh(script, file), stdin: Buffer.from('given\n') }, soon());
      await eventually(async () => (await jobs.get(id, soon())).stdout_bytes === 10, 2_000);
      const whole = text(await jobs.follow(id, 'stdout', 4, soon()));
      await jobs.start(newId(), { argv: ['touch', file] }, soon());
      expect(await whole).toBe('given\ntwo\n');
      expect((await buffer(await jobs.follow(id, 'stderr', 0, soon()))).toString()).toBe('oops\n');
      expect(await jobs.get(id, soon(), WAIT_MS)).toMatchObject({ end: 'exited', exit_code: 0, stdout_bytes: 14, stderr_bytes: 5 });
    });

    test('is sent signals, and says by which one it ended', async () => {
      const id = newId();
      await way().client.jobs.start(id, { argv: ['sleep', '1000'] }, soon());
      await way().client.jobs.signal(id, 'INT', soon());
      expect(await way().client.jobs.get(id, soon(), WAIT_MS)).toMatchObject({ end: 'signaled', exit_code: 130, signal: 'INT' });
    });

    test('is ended with its daemons when it prints more than it may', async () => {
      const id = newId();
      const seconds = uniqueSeconds();
      const script = '(setsid sleep "$1" >/dev/null 2>&1 &) ; while :; do echo 0123456789; done';
      await way().client.jobs.start(id, { argv: sh(script, seconds), outputLimitBytes: 50_000 }, soon());
      const ended = await way().client.jobs.get(id, soon(), WAIT_MS);
      expect(ended).toMatchObject({ end: 'output_limit', stdout_bytes: 50_000 });
      await eventually(async () => (await countProcesses(way().client, `sleep ${seconds}`)) === 0, 3_000);
    });
  });
}
