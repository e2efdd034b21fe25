/**
 * Commands of images that have a shell.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { newId } from '../../../shared/ids.ts';
import { eventually } from '../kubernetes/rig.ts';
import { countProcesses, rest, run, say, sh, start, uniqueSeconds } from './run.ts';
import type { HelperSubject } from './subject.ts';

const MIB = 1024 * 1024;
const KILLED_WITHIN_MS = 3_000;
/** Numbered lines of 8 bytes: what is missing or repeated shows. */
const printLines = (count: number): string => `i=0; while [ $i -lt ${String(count)} ]; do printf '%07d\\n' $i; i=$((i + 1)); done`;
const linesAre = (count: number): string => Array.from({ length: count }, (_, index) => `${String(index).padStart(7, '0')}\n`).join('');

/**
 * Leaves nothing undone to live on: it ignores TERM, and so do a child in the background, a daemon by two forks in a session of its own,
 * and one that has lost its environment too.
 */
const stubborn = `trap '' TERM
sleep $1 &
(setsid sh -c 'sleep $0 & exit 0' $1 >/dev/null 2>&1 </dev/null &)
(env -i /bin/sh -c 'setsid sh -c "sleep $0 & exit 0" $0 &' $1 >/dev/null 2>&1 </dev/null &)
echo started
sleep $1`;

/** Without `pkill`, which Debian's smallest image has not. */
const endBySeconds = `read -r seconds
for file in /proc/[0-9]*/cmdline; do
  pid=\${file#/proc/}
  case "$(tr '\\0' ' ' <"$file" 2>/dev/null)" in "sleep $seconds "*) kill "\${pid%/cmdline}" ;; esac
done`;

export function describeExecutionsOfShell({ way, open }: HelperSubject): void {
  describe.concurrent('a command of a shell', () => {
    test('has its outputs apart and its exit code', async () => {
      const { stdout, stderr, end } = await run(way().client, sh('echo out; echo err >&2; exit 7'));
      expect([stdout.toString(), stderr]).toEqual(['out\n', 'err\n']);
      expect(end).toMatchObject({ end: 'exited', exit_code: 7, signal: null, stdout_bytes: 4, stderr_bytes: 4 });
    });

    test('gets its words as they are', async () => {
      const words = ['a b', '$HOME', '"', "'", '*', 'ä', '', '\n', '-n'];
      expect(await say(way().client, String.raw`for word in "$@"; do printf '%s\0' "$word"; done`, ...words)).toBe(`${words.join('\0')}\0`);
    });

    test.each([
      ['KILL', 137],
      ['TERM', 143],
      ['SEGV', 139],
    ])('that dies of SIG%s ends with 128 and the signal', async (signal, exitCode) => {
      expect((await run(way().client, sh(`kill -${signal} $$`))).end).toMatchObject({ end: 'signaled', exit_code: exitCode, signal });
    });

    test('runs in the workspace with the environment of its session, or where and with what it is told', async () => {
      const script = 'pwd; echo "$HOME $SESSION_ID ${MINE-none}"; [ -n "$PATH" ] && echo path';
      const { sessionId } = way().target;
      expect(await say(way().client, script)).toBe(`/workspace\n/workspace ${sessionId} none\npath\n`);
      const told = await run(way().client, sh(script), { cwd: '/tmp', env: { MINE: 'a b', HOME: '/else' } });
      expect(told.stdout.toString()).toBe(`/tmp\n/else ${sessionId} a b\npath\n`);
    });

    test('is in a conversation: output comes before the input has ended', async () => {
      const input = new Readable({ read: () => undefined });
      const records = start(way().client, sh('while read line; do echo "got $line"; done; echo over'), { stdin: input });
      expect((await records.next()).value).toMatchObject({ type: 'started' });
      input.push('one\n');
      expect((await records.next()).value).toMatchObject({ bytes: Buffer.from('got one\n') });
      input.push(null);
      const after = await rest(records);
      expect(after).toMatchObject([{ bytes: Buffer.from('over\n') }, { type: 'end', exit_code: 0 }]);
    });

    test('that does not read its input ends all the same', async () => {
      expect((await run(way().client, ['true'], { stdin: Buffer.alloc(2 * MIB) })).end).toMatchObject({ end: 'exited', exit_code: 0 });
    });

    test('takes any bytes in and gives any bytes out', async () => {
      const bytes = Buffer.from(Array.from({ length: 5 * MIB }, (_, index) => (index * 31 + (index >> 8) * 17) & 0xff));
      const { stdout, end } = await run(way().client, ['cat'], { stdin: bytes });
      expect(createHash('sha256').update(stdout).digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(end).toMatchObject({ exit_code: 0, stdout_bytes: bytes.length });
    });

    test('is ended with everything it started, daemons too, at its time limit', async () => {
      const seconds = uniqueSeconds();
      const running = run(way().client, sh(stubborn, seconds), { timeoutMs: 500 });
      const { end, stdout } = await running;
      expect(stdout.toString()).toBe('started\n');
      expect(end).toMatchObject({ end: 'timed_out' });
      expect(end.duration_ms).toBeLessThan(500 + KILLED_WITHIN_MS);
      expect(await countProcesses(way().client, `sleep ${seconds}`)).toBe(0);
    });

    test('is ended with everything it started when its caller hangs up', async () => {
      const seconds = uniqueSeconds();
      const abort = new AbortController();
      const records = start(way().client, sh(stubborn, seconds), { signal: abort.signal });
      await records.next();
      expect((await records.next()).value).toMatchObject({ bytes: Buffer.from('started\n') });
      await eventually(async () => (await countProcesses(way().client, `sleep ${seconds}`)) >= 4, 2_000);
      abort.abort();
      await expect(records.next()).rejects.toThrow(/./);
      await eventually(async () => (await countProcesses(way().client, `sleep ${seconds}`)) === 0, KILLED_WITHIN_MS);
    });

    test('that ends by itself leaves to live what it left running', async () => {
      const seconds = uniqueSeconds();
      expect((await run(way().client, sh('sleep $1 >/dev/null 2>&1 & echo gone', seconds))).end.end).toBe('exited');
      expect(await countProcesses(way().client, `sleep ${seconds}`)).toBe(1);
      await run(way().client, sh(endBySeconds), { stdin: Buffer.from(`${seconds}\n`) });
      expect(await countProcesses(way().client, `sleep ${seconds}`)).toBe(0);
    });

    test('is ended when it prints more than it may', async () => {
      const { end, stdout } = await run(way().client, sh('while :; do echo 0123456789; done'), { outputLimitBytes: 100_000 });
      expect(end.end).toBe('output_limit');
      expect(stdout.length).toBeGreaterThanOrEqual(100_000);
      expect(stdout.length).toBeLessThan(MIB);
    });

    test('waits while nobody reads what it prints', async () => {
      const file = `/tmp/${newId()}`;
      const script = 'i=0; line=$(printf %01024d 0); while :; do echo "$line"; i=$((i + 1)); echo $i >"$1"; done';
      const records = start(way().client, sh(script, file), { outputLimitBytes: 1024 * MIB });
      await records.next();
      const printed = async (): Promise<number> => Number(await say(way().client, 'cat "$1" 2>/dev/null || echo 0', file));
      let lines = 0;
      await eventually(async () => {
        const before = lines;
        lines = await printed();
        return lines > 0 && lines === before;
      }, 10_000);
      expect(lines * 1024).toBeLessThan(16 * MIB);
      expect((await records.next()).value).toMatchObject({ type: 'stdout' });
      await records.return(undefined);
    });

    test('loses and repeats nothing of its output when the connection is cut in the middle of it, several times', async () => {
      await using own = open();
      own.tap.cutNextAfter(3_000, 50_000, 70_001);
      const { stdout, end } = await run(own.client, sh(printLines(20_000)), { id: newId() });
      expect(end).toMatchObject({ end: 'exited', exit_code: 0, stdout_bytes: 160_000 });
      expect(stdout.toString() === linesAre(20_000)).toBe(true);
      expect(own.tap.opened()).toBe(4);
    });

    test('gets all of its input once, though the connection is cut', async () => {
      await using own = open();
      own.tap.cutNextAfter(30_000);
      const stdin = Buffer.from(linesAre(10_000));
      const { stdout, end } = await run(own.client, ['cat'], { stdin });
      expect(end).toMatchObject({ end: 'exited', exit_code: 0 });
      expect(stdout.equals(stdin)).toBe(true);
      expect(own.tap.opened()).toBe(2);
    });
  });
}
