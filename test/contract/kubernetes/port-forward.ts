/**
 * TCP to a port of a running pod.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { statusOf } from '../../../shared/kubernetes/errors.ts';
import { eventually } from './rig.ts';
import type { Subject } from './suite.ts';

const MIB = 1024 * 1024;

/** Listens on ports that are free, tells their numbers in its log, and does on each what the test of that name is about. */
const servers = `
import hashlib, json, socket, struct, threading
def echo(c):
    while True:
        data = c.recv(65536)
        if not data: return
        c.sendall(data)
def digest(c):
    hash = hashlib.sha256()
    left = ${String(8 * MIB)}
    while left:
        data = c.recv(65536)
        if not data: return
        hash.update(data)
        left -= len(data)
    c.sendall(hash.hexdigest().encode())
def produce(c):
    c.sendall(bytes(${String(32 * MIB)}))
def reset(c):
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
def ends(c):
    c.recv(1)
    while c.recv(65536): pass
    print('the input has ended', flush=True)
def serve(behave):
    s = socket.create_server(('', 0))
    def loop():
        while True:
            c, _ = s.accept()
            def attend():
                with c: behave(c)
            threading.Thread(target=attend).start()
    threading.Thread(target=loop).start()
    return s.getsockname()[1]
free = socket.create_server(('', 0))
ports = {f.__name__: serve(f) for f in (echo, digest, produce, reset, ends)}
ports['nobody'] = free.getsockname()[1]
free.close()
print(json.dumps(ports), flush=True)
`;

export function describePortForward({ rig, shared }: Subject): void {
  describe('a port of a pod', () => {
    let pod = '';
    let ports: Readonly<Record<string, number>> = {};
    const log = (): Promise<string> => rig().kubernetes.core.readNamespacedPodLog({ name: pod, namespace: shared().namespace });

    beforeAll(async () => {
      pod = await rig().start(shared().namespace, { command: ['python3', '-c', servers] });
      await eventually(async () => (await log()).endsWith('}\n'));
      ports = JSON.parse(await log()) as Record<string, number>;
    });

    const open = (name: string, where: { pod?: string; namespace?: string } = {}, signal?: AbortSignal): Promise<Duplex> =>
      rig().kubernetes.portForward({
        namespace: shared().namespace,
        pod,
        port: ports[name] ?? 0,
        signal: signal ?? AbortSignal.timeout(20_000),
        ...where,
      });

    test('answers at once, back and forth', async () => {
      const stream = await open('echo');
      for (const word of ['one', 'two']) {
        stream.write(word);
        expect(String((await once(stream, 'data'))[0])).toBe(word);
      }
      stream.destroy();
    });

    test('takes any bytes', async () => {
      const bytes = randomBytes(8 * MIB);
      const stream = await open('digest');
      const [digest] = await Promise.all([text(stream), pipeline([bytes], stream, { end: false })]);
      expect(digest).toBe(createHash('sha256').update(bytes).digest('hex'));
    });

    test('may say a lot and close, and every byte arrives, though the reader is slow at first', async () => {
      const stream = await open('produce');
      await once(stream, 'readable');
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect((await buffer(stream)).length).toBe(32 * MIB);
    });

    test('is one of many connections that do not mix', async () => {
      const words = Array.from({ length: 10 }, (_, index) => `word ${String(index)}`);
      const answers = await Promise.all(
        words.map(async (word) => {
          const stream = await open('echo');
          stream.write(word);
          const [answer] = (await once(stream, 'data')) as [Buffer];
          stream.destroy();
          return answer.toString();
        }),
      );
      expect(answers).toEqual(words);
    });

    test('where nobody listens fails, in words', async () => {
      await expect(text(await open('nobody'))).rejects.toThrow(/connection refused/);
    });

    test('whose program resets the connection fails', async () => {
      const stream = await open('reset');
      stream.write('.');
      await expect(text(stream)).rejects.toThrow(/reset/);
    });

    test('sees the end of its input when the stream is destroyed, or its signal aborts', async () => {
      const ended = async (): Promise<number> => (await log()).split('the input has ended').length - 1;
      const abort = new AbortController();
      const streams = await Promise.all([open('ends'), open('ends', {}, abort.signal)]);
      for (const stream of streams) stream.write('some more');
      // The bytes are on their way behind the handshake; what was destroyed before they left would not count.
      await new Promise((resolve) => setTimeout(resolve, 200));
      streams[0].destroy();
      await eventually(async () => (await ended()) === 1);
      abort.abort();
      await eventually(async () => (await ended()) === 2);
    });

    test.each([
      ['pod', { pod: 'berth-none' }, /pods "berth-none" not found/],
      ['namespace', { namespace: 'berth-none' }, /not found/],
    ])('is refused where there is no such %s', async (_what, where, words) => {
      const status = statusOf(await rig().refusal(open('echo', where)));
      expect(status?.code).toBe(404);
      expect(status?.message).toMatch(words);
    });
  });
}
