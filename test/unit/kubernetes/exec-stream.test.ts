import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { eventually, startKubeServer } from '../../fakes/kube-server.ts';

import { finish, message, open, success } from '../../fakes/kube-exec.ts';

const MIB = 1024 * 1024;
describe('a command that ends', () => {
  test('leaves its outputs apart and its exit code', async () => {
    await using server = await startKubeServer({
      onExec: (socket) => {
        for (const empty of [1, 2, 3]) socket.send(message(empty));
        socket.send(message(1, 'out'));
        socket.send(message(2, 'err'));
        finish(
          socket,
          JSON.stringify({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '7' }] } }),
        );
      },
    });
    const stream = await open(server);
    expect(await Promise.all([text(stream.stdout), text(stream.stderr), stream.exit])).toEqual([
      'out',
      'err',
      { type: 'exited', exitCode: 7 },
    ]);
  });

  test('has its whole output readable when its end is known, though nobody has read yet', async () => {
    await using server = await startKubeServer({
      onExec: (socket) => {
        socket.send(message(1, 'x'.repeat(1_000)));
        finish(socket);
      },
    });
    const stream = await open(server);
    await stream.exit;
    expect(await text(stream.stdout)).toHaveLength(1_000);
  });

  test('is over soon after its status, though the server leaves the connection open', async () => {
    await using server = await startKubeServer({ onExec: (socket) => socket.send(message(3, success)) });
    const stream = await open(server);
    expect(await stream.exit).toEqual({ type: 'exited', exitCode: 0 });
  });

  test('may close one output before the other', async () => {
    await using server = await startKubeServer({
      onExec: (socket) => {
        socket.send(message(1, 'out'));
        socket.send(Buffer.from([255, 1]));
        socket.on('message', () => finish(socket));
      },
    });
    const stream = await open(server, { stdin: true });
    expect(await text(stream.stdout)).toBe('out');
    stream.stdin.write('go on');
    expect(await stream.exit).toEqual({ type: 'exited', exitCode: 0 });
  });

  test('may leave its input unread, which fails no one', async () => {
    await using server = await startKubeServer({ onExec: (socket) => finish(socket) });
    const stream = await open(server, { stdin: true });
    await stream.exit;
    const written = new Promise((resolve) => stream.stdin.write('too late', resolve));
    expect(await written).toBeInstanceOf(Error);
  });
});

describe('a connection that is lost', () => {
  test('is told apart from an end, and what came before it is there', async () => {
    await using server = await startKubeServer({
      onExec: (socket) => socket.send(message(1, 'half'), () => socket.terminate()),
    });
    const stream = await open(server);
    expect(await text(stream.stdout)).toBe('half');
    expect(await stream.exit).toMatchObject({ type: 'lost' });
  });

  test('is lost also where it is closed politely without a status', async () => {
    await using server = await startKubeServer({ onExec: (socket) => socket.close(1000, 'bye') });
    expect(await (await open(server)).exit).toEqual({
      type: 'lost',
      message: 'The connection to the container was lost (close code 1000, bye).',
    });
  });

  test.each([
    ['text', (socket: WebSocket) => socket.send('hello'), 'The server broke the exec protocol: a text message.'],
    [
      'a channel that does not exist',
      (socket: WebSocket) => socket.send(message(77, 'x')),
      'The server broke the exec protocol: a message on channel 77.',
    ],
    ['a message larger than any server sends', (socket: WebSocket) => socket.send(Buffer.alloc(5 * MIB, 1)), 'Max payload size exceeded'],
  ])('is given up when the server sends %s', async (_what, misbehave, reason) => {
    await using server = await startKubeServer({ onExec: misbehave });
    expect(await (await open(server)).exit).toEqual({ type: 'lost', message: reason });
  });

  test('ends a protocol on top of it with an error', async () => {
    await using server = await startKubeServer({ onExec: (socket) => socket.on('message', () => socket.terminate()) });
    const { duplex } = await open(server, { stdin: true });
    const failed = once(duplex, 'close').catch((error: unknown) => error);
    duplex.write('x');
    expect(String(await failed)).toContain('was lost');
  });

  test('is noticed though the server says nothing at all', async () => {
    await using server = await startKubeServer({ autoPong: false });
    const stream = await open(server, {}, { pingEveryMs: 20, silenceMs: 60 });
    expect(await stream.exit).toEqual({ type: 'lost', message: 'The server has gone silent.' });
  });

  test('is not assumed while input waits to be read: the pong waits behind it', async () => {
    let served: WebSocket | undefined;
    await using server = await startKubeServer({
      onExec: (socket) => {
        socket.pause();
        served = socket;
      },
    });
    const stream = await open(server, { stdin: true }, { pingEveryMs: 10, silenceMs: 30 });
    const read = once(stream.stdout, 'data');
    stream.stdin.write('unread');
    await new Promise((resolve) => setTimeout(resolve, 150));
    served?.on('message', () => served?.send(message(1, 'alive')));
    served?.resume();
    expect(String((await read)[0])).toBe('alive');
  });

  test('is not assumed while the reader is slow', async () => {
    await using server = await startKubeServer({
      onExec: (socket) => socket.send(message(1, Buffer.alloc(MIB)), () => finish(socket)),
    });
    const stream = await open(server, {}, { pingEveryMs: 10, silenceMs: 30 });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect((await text(stream.stdout)).length).toBe(MIB);
    expect(await stream.exit).toEqual({ type: 'exited', exitCode: 0 });
  });
});

describe('the end of the input', () => {
  test('reaches the command on v5', async () => {
    await using server = await startKubeServer({
      onExec: (socket) =>
        socket.on('message', (data: Buffer) => (data[0] === 255 ? finish(socket) : socket.send(message(1, data.subarray(1))))),
    });
    const stream = await open(server, { stdin: true });
    expect(stream.halfClose).toBe(true);
    stream.stdin.end('in');
    expect([await text(stream.stdout), await stream.exit]).toEqual(['in', { type: 'exited', exitCode: 0 }]);
  });

  test('cannot be said on v4, and the stream tells so', async () => {
    const received: Buffer[] = [];
    await using server = await startKubeServer({
      subprotocol: 'v4.channel.k8s.io',
      onExec: (socket) => {
        socket.on('message', (data: Buffer) => received.push(data));
        socket.on('ping', () => finish(socket));
      },
    });
    const stream = await open(server, { stdin: true }, { pingEveryMs: 50, silenceMs: 5_000 });
    expect(stream.halfClose).toBe(false);
    stream.stdin.end('in');
    await stream.exit;
    expect(received).toEqual([message(0, 'in')]);
  });

  test('is there from the start where no input was asked for', async () => {
    await using server = await startKubeServer({ onExec: (socket) => finish(socket) });
    const stream = await open(server);
    expect(stream.stdin.writable).toBe(false);
  });
});

test('a terminal has one output, and takes new sizes', async () => {
  const received: string[] = [];
  await using server = await startKubeServer({
    onExec: (socket) => socket.on('message', (data: Buffer) => received.push(data.toString()) && finish(socket)),
  });
  const stream = await open(server, { tty: true });
  expect(await text(stream.stderr)).toBe('');
  stream.resize(100, 30);
  await stream.exit;
  expect(received).toEqual(['\u0004{"Width":100,"Height":30}']);
});

describe('giving up', () => {
  test('closes the connection, and the end is "lost"', async () => {
    let closed = false;
    await using server = await startKubeServer({ onExec: (socket) => socket.on('close', () => (closed = true)) });
    const abort = new AbortController();
    const stream = await open(server, { signal: abort.signal });
    abort.abort();
    expect(await stream.exit).toEqual({ type: 'lost', message: 'The stream was closed on this side.' });
    await eventually(() => closed);
  });

  test('works while the reader is slow', async () => {
    await using server = await startKubeServer({ onExec: (socket) => socket.send(message(1, Buffer.alloc(2 * MIB))) });
    const abort = new AbortController();
    const stream = await open(server, { signal: abort.signal });
    await eventually(() => stream.stdout.readableLength > 0);
    abort.abort();
    expect(await stream.exit).toMatchObject({ type: 'lost' });
  });

  test('leaves no listener on a signal that lives on', async () => {
    await using server = await startKubeServer({ onExec: (socket) => finish(socket) });
    const signal = new AbortController().signal;
    let listeners = 0;
    const counted = new Proxy(signal, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (name === 'addEventListener') listeners += 1;
        if (name === 'removeEventListener') listeners -= 1;
        return value.bind(target) as unknown;
      },
    });
    const stream = await open(server, { signal: counted });
    await stream.exit;
    expect(listeners).toBe(0);
  });
});

test('streams read side by side do not mix', async () => {
  await using server = await startKubeServer({
    onExec: (socket, request) => {
      socket.send(message(1, new URL(request.url ?? '', 'http://x').searchParams.get('command') ?? ''));
      finish(socket);
    },
  });
  const words = ['a', 'b', 'c', 'd'];
  const read = async (word: string): Promise<string> => text((await open(server, { command: [word] })).stdout);
  expect(await Promise.all(words.map(read))).toEqual(words);
});
