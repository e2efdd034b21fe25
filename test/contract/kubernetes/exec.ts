/**
 * Commands in a running pod.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { ExecStream } from '../../../shared/kubernetes/port.ts';
import { statusOf } from '../../../shared/kubernetes/errors.ts';
import { containing, matching } from './matchers.ts';
import type { Subject } from './suite.ts';

const MIB = 1024 * 1024;

export function describeExec({ rig, shared, needs }: Subject): void {
  describe('a command', () => {
    const sh = (script: string) => rig().sh(shared().namespace, shared().pod, script);
    const open = (command: string[], options: { stdin?: boolean; tty?: boolean; signal?: AbortSignal } = {}): Promise<ExecStream> =>
      rig().kubernetes.exec({
        namespace: shared().namespace,
        pod: shared().pod,
        container: 'session',
        command,
        signal: AbortSignal.timeout(20_000),
        ...options,
      });

    test('has its outputs apart and its exit code', async () => {
      expect(await sh('echo out; echo err >&2; exit 7')).toEqual({
        stdout: 'out\n',
        stderr: 'err\n',
        exit: { type: 'exited', exitCode: 7 },
      });
    });

    test.each([
      ['KILL', 137],
      ['TERM', 143],
      ['SEGV', 139],
    ])('that dies of SIG%s ends with 128 and the signal: %i', async (signal, exitCode) => {
      expect((await sh(`kill -${signal} $$`)).exit).toEqual({ type: 'exited', exitCode });
    });

    test('gets its words as they are, with no shell between', async () => {
      const words = ['a b', '$HOME', '"', "'", '*', 'ä&=?#', '', '\n'];
      const { stdout } = await rig().run(shared().namespace, shared().pod, [
        'python3',
        '-c',
        'import sys, json; print(json.dumps(sys.argv[1:]))',
        ...words,
      ]);
      expect(JSON.parse(stdout)).toEqual(words);
    });

    test('runs where the session works', async () => {
      const { stdout } = await sh('touch here; ls -d here; [ "$PWD" -ef "$HOME" ] && echo home');
      expect(stdout).toBe('here\nhome\n');
    });

    test('reads its input to the end', async () => {
      const input = 'x'.repeat(300_000);
      const { stdout, exit } = await rig().run(shared().namespace, shared().pod, ['wc', '-c'], { input });
      expect([stdout.trim(), exit]).toEqual(['300000', { type: 'exited', exitCode: 0 }]);
    });

    test('may have no input at all', async () => {
      expect((await sh('wc -c')).stdout.trim()).toBe('0');
    });

    test('passes any bytes both ways', async () => {
      const bytes = randomBytes(3 * MIB);
      const stream = await open(['cat'], { stdin: true });
      const hash = createHash('sha256');
      stream.stderr.resume();
      const [, , exit] = await Promise.all([
        pipeline([bytes], stream.stdin),
        pipeline(stream.stdout, async (chunks: AsyncIterable<Buffer>) => {
          for await (const chunk of chunks) hash.update(chunk);
        }),
        stream.exit,
      ]);
      expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(exit).toEqual({ type: 'exited', exitCode: 0 });
    });

    test('may print a lot, and every byte arrives, though the reader is slow at first', async () => {
      const stream = await open(['head', '-c', String(64 * MIB), '/dev/zero']);
      await once(stream.stdout, 'readable');
      await new Promise((resolve) => setTimeout(resolve, 200));
      let received = 0;
      stream.stderr.resume();
      for await (const chunk of stream.stdout as AsyncIterable<Buffer>) received += chunk.length;
      expect(received).toBe(64 * MIB);
      expect(await stream.exit).toEqual({ type: 'exited', exitCode: 0 });
    });

    test('answers while it runs: a conversation', async () => {
      const stream = await open(['sh', '-c', 'while read line; do echo "got $line"; done'], { stdin: true });
      stream.stdin.write('one\n');
      expect(String((await once(stream.stdout, 'data'))[0])).toBe('got one\n');
      stream.stdin.end('two\n');
      expect(await text(stream.stdout)).toBe('got two\n');
      expect(await stream.exit).toEqual({ type: 'exited', exitCode: 0 });
    });

    test('that leaves a child behind ends all the same once the child lets go of its outputs', async () => {
      const { stdout } = await sh('(sleep 20 >/dev/null 2>&1 </dev/null & echo started)');
      expect(stdout).toBe('started\n');
    });

    test('that does not exist says so', async () => {
      const { exit } = await rig().run(shared().namespace, shared().pod, ['no-such-command']);
      expect(exit).toMatchObject({ type: 'failed', message: matching(/executable file not found|no such file/) });
    });

    test.each([
      ['pod', { pod: 'berth-none' }, 404, /pods "berth-none" not found/],
      ['namespace', { namespace: 'berth-none' }, 404, /not found/],
      ['container', { container: 'none' }, 400, /container none is not valid for pod/],
    ])('is refused where there is no such %s', async (_what, where, code, words) => {
      const error = await rig().refusal(rig().run(shared().namespace, shared().pod, ['true'], where));
      expect(statusOf(error)).toMatchObject({ code, message: matching(words) });
    });

    test('is refused where the container does not run', async () => {
      const { namespace } = shared();
      const pod = await rig().create(namespace, rig().podBody(namespace, { image: 'registry.example.com/none:1' }));
      await rig().waitForPod(namespace, pod, (now) => now.status?.containerStatuses?.[0]?.state?.waiting !== undefined);
      const refused = await rig()
        .run(namespace, pod, ['true'])
        .catch((error: unknown) => error);
      const words = statusOf(refused)?.message ?? JSON.stringify(refused);
      expect(words).toMatch(/container not found \(\\?"session\\?"\)/);
    });

    test('is refused where the pod has no node', async () => {
      const { namespace } = shared();
      const pod = await rig().create(namespace, rig().podBody(namespace, { nodeSelector: { 'berth.dev/none': 'x' } }));
      const error = await rig().refusal(rig().run(namespace, pod, ['true']));
      expect(statusOf(error)).toMatchObject({ code: 400, message: containing('does not have a host assigned') });
    });

    test('may have a terminal, of a size that can change', async () => {
      const stream = await open(['sh', '-c', 'test -t 0 && test -t 1 && echo tty; while :; do stty size; sleep 0.1; done'], {
        stdin: true,
        tty: true,
      });
      expect(await text(stream.stderr)).toBe('');
      stream.resize(100, 30);
      let said = '';
      for await (const chunk of stream.stdout as AsyncIterable<Buffer>) {
        said += chunk.toString();
        if (said.includes('30 100')) break;
      }
      stream.close();
      expect(said.startsWith('tty\r\n')).toBe(true);
      expect(await stream.exit).toMatchObject({ type: 'lost' });
    });

    test('under a terminal is interrupted by Ctrl-C', async () => {
      const stream = await open(['sh', '-c', 'echo ready; exec sleep 20'], { stdin: true, tty: true });
      await once(stream.stdout, 'data');
      stream.stdin.write('\u0003');
      expect(await stream.exit).toEqual({ type: 'exited', exitCode: 130 });
    });

    test('is left behind, not ended, when the caller gives up', async (context) => {
      needs(context, 'pidNamespace');
      const abort = new AbortController();
      const stream = await open(['sh', '-c', 'echo $$; exec sleep 300'], { signal: abort.signal });
      const pid = String((await once(stream.stdout, 'data'))[0]).trim();
      abort.abort();
      expect(await stream.exit).toMatchObject({ type: 'lost' });
      expect((await sh(`kill -0 ${pid} && kill -9 ${pid} && echo was there`)).stdout).toBe('was there\n');
    });

    test('is lost, or known to have ended, when its pod is deleted; it never hangs', async () => {
      const { namespace } = shared();
      const pod = await rig().start(namespace);
      const stream = await rig().kubernetes.exec({
        namespace,
        pod,
        container: 'session',
        command: ['sh', '-c', 'echo on; sleep 300'],
        signal: AbortSignal.timeout(20_000),
      });
      await once(stream.stdout, 'data');
      await rig().kubernetes.core.deleteNamespacedPod({ namespace, name: pod, gracePeriodSeconds: 1 });
      stream.stdout.resume();
      stream.stderr.resume();
      const exit = await stream.exit;
      expect(exit).not.toEqual({ type: 'exited', exitCode: 0 });
      expect(exit).not.toMatchObject({ message: 'The stream was closed on this side.' });
    });

    test('runs beside twenty others without mixing', async () => {
      const numbers = Array.from({ length: 20 }, (_, index) => String(index));
      const results = await Promise.all(numbers.map((number) => rig().run(shared().namespace, shared().pod, ['echo', number])));
      expect(results.map(({ stdout }) => stdout.trim())).toEqual(numbers);
    });
  });
}
