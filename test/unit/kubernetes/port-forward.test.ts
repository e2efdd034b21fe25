import { text } from 'node:stream/consumers';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { createExecDialer } from '../../../shared/kubernetes/exec-handshake.ts';
import type { KeepAlive } from '../../../shared/kubernetes/exec-keepalive.ts';
import { openPortForward } from '../../../shared/kubernetes/port-forward.ts';
import { message } from '../../fakes/kube-exec.ts';
import { settled, startKubeServer, type KubeServer } from '../../fakes/kube-server.ts';

const MIB = 1024 * 1024;
const PORT = 7171;
const header = (channel: number, port = PORT): Buffer => message(channel, Buffer.from([port % 256, Math.floor(port / 256)]));

function greet(socket: WebSocket): void {
  socket.send(header(0));
  socket.send(header(1));
}

function serve(onForward: (socket: WebSocket) => void): Promise<KubeServer> {
  return startKubeServer({ subprotocol: 'v4.channel.k8s.io', onExec: onForward });
}

function open(server: KubeServer, signal = AbortSignal.timeout(20_000), keepAlive?: KeepAlive): Promise<Duplex> {
  return openPortForward(createExecDialer(server.endpoint), { namespace: 'n', pod: 'p', port: PORT, signal }, keepAlive);
}

const failure = async (stream: Duplex): Promise<string> => {
  const error = await text(stream).then(
    () => new Error('ended without an error'),
    (caught: unknown) => caught as Error,
  );
  return error.message;
};

describe('a port-forward', () => {
  test('asks for its one port with the subprotocol that the kubelet knows', async () => {
    let asked: string[] = [];
    await using server = await startKubeServer({
      subprotocol: 'v4.channel.k8s.io',
      onExec: (socket, request) => {
        asked = [request.url ?? '', request.headers['sec-websocket-protocol'] ?? ''];
        greet(socket);
        socket.close(1000);
      },
    });
    await text(await open(server));
    expect(asked).toEqual(['/api/v1/namespaces/n/pods/p/portforward?ports=7171', 'v4.channel.k8s.io']);
  });

  test('carries bytes both ways, and the server that closes ends it', async () => {
    await using server = await serve((socket) => {
      greet(socket);
      socket.on('message', (data: Buffer) => {
        socket.send(message(0, data.subarray(1).toString().toUpperCase()));
        socket.close(1000);
      });
    });
    const stream = await open(server);
    stream.write('hello');
    expect(await text(stream)).toBe('HELLO');
  });

  test("fails with the runtime's words where nothing listens", async () => {
    await using server = await serve((socket) => {
      greet(socket);
      socket.send(message(1, 'error forwarding port 7171: '));
      socket.send(message(1, 'connection refused'));
      socket.close(1000);
    });
    expect(await failure(await open(server))).toBe('error forwarding port 7171: connection refused');
  });

  test.each<[string, (socket: WebSocket) => void, RegExp]>([
    ['a cut connection', (socket) => socket.terminate(), /was lost \(close code 1006\)/],
    ['a server that goes away', (socket) => socket.close(1001), /was lost \(close code 1001\)/],
  ])('takes %s for an error, never for an end', async (_what, end, words) => {
    await using server = await serve((socket) => {
      greet(socket);
      socket.send(message(0, 'some'), () => end(socket));
    });
    expect(await failure(await open(server))).toMatch(words);
  });

  test.each<[string, (socket: WebSocket) => void, RegExp]>([
    ['another port', (socket) => socket.send(header(0, 1)), /the wrong port/],
    ['no port', (socket) => socket.send(message(0, 'data')), /the wrong port/],
    ['text', (socket) => socket.send('hello'), /a text message/],
    ['nothing', (socket) => socket.send(Buffer.alloc(0)), /an empty message/],
    ['an unknown channel', (socket) => socket.send(message(7, 'x')), /channel 7/],
    ['a close before the ports', (socket) => socket.close(1000), /was lost/],
  ])('trusts no server that begins with %s', async (_what, begin, words) => {
    await using server = await serve(begin);
    expect(await failure(await open(server))).toMatch(words);
  });

  test('that nobody reads stops the server, and loses nothing', async () => {
    let sent = 0;
    const part = message(0, Buffer.alloc(64 * 1024));
    await using server = await serve((socket) => {
      greet(socket);
      const produce = (): void => {
        if (sent >= 64 * MIB) return socket.close(1000);
        sent += part.length - 1;
        socket.send(part, () => produce());
      };
      produce();
    });
    const stream = await open(server);
    expect(await settled(() => sent)).toBeLessThan(20 * MIB);
    let received = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) received += chunk.length;
    expect(received).toBe(64 * MIB);
  });

  test('holds the writer back while the pod does not read', async () => {
    let served: WebSocket | undefined;
    let received = 0;
    await using server = await serve((socket) => {
      served = socket;
      greet(socket);
      socket.pause();
      socket.on('message', (data: Buffer) => {
        received += data.length - 1;
        if (received === 32 * MIB) socket.close(1000);
      });
    });
    const stream = await open(server);
    let taken = 0;
    const writing = (async () => {
      for (let index = 0; index < 32; index += 1) {
        taken += MIB;
        if (!stream.write(Buffer.alloc(MIB))) await once(stream, 'drain');
      }
    })();
    expect(await settled(() => taken)).toBeLessThan(20 * MIB);
    served?.resume();
    await writing;
    expect(await text(stream)).toBe('');
    expect(received).toBe(32 * MIB);
  });

  test('is closed by its signal, and by being destroyed', async () => {
    let closed = 0;
    await using server = await serve((socket) => {
      greet(socket);
      socket.on('close', () => (closed += 1));
    });
    const abort = new AbortController();
    const stream = await open(server, abort.signal);
    abort.abort(new Error('enough'));
    expect(await failure(stream)).toBe('The port-forward was closed on this side.');
    (await open(server)).destroy();
    await expect.poll(() => closed).toBe(2);
  });

  test('notices a server that has gone silent', async () => {
    await using server = await startKubeServer({ subprotocol: 'v4.channel.k8s.io', autoPong: false, onExec: greet });
    const stream = await open(server, undefined, { pingEveryMs: 10, silenceMs: 40 });
    expect(await failure(stream)).toBe('The server has gone silent.');
  });
});
