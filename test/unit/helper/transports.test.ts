import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { AppError } from '../../../shared/errors/app-error.ts';
import type { HelperBinaries } from '../../../shared/helper/binaries.ts';
import type { PodTarget, Transport } from '../../../shared/helper/port.ts';
import { createDirectTransport } from '../../../shared/helper/transport-direct.ts';
import { createExecTransport } from '../../../shared/helper/transport-exec.ts';
import { createPortForwardTransport } from '../../../shared/helper/transport-port-forward.ts';
import { openHelperDoor, type HelperDoor } from '../../fakes/helper-door.ts';
import { finish, message } from '../../fakes/kube-exec.ts';
import { runningPod, servePod, target, type PodServer } from '../../fakes/kube-pod.ts';

const signal = AbortSignal.timeout(20_000);
const noBinaries: HelperBinaries = {
  read: () => Promise.reject(new Error('nobody should ask for a binary here')),
};

async function codeOf(opening: Promise<Duplex>): Promise<string> {
  const error = await opening.then(
    () => 'opened',
    (caught: unknown) => caught,
  );
  return error instanceof AppError ? error.code : String(error);
}

const reply = (socket: { write(bytes: Buffer): unknown; on(event: 'data', listener: (bytes: Buffer) => void): unknown }): void => {
  socket.on('data', (bytes) => socket.write(Buffer.from(bytes.toString().toUpperCase())));
};

async function converse(stream: Duplex): Promise<string> {
  stream.write('hello');
  const [answer] = (await once(stream, 'data')) as [Buffer];
  stream.destroy();
  return answer.toString();
}

/** What every way to the pod has in common. */
const ways: readonly [string, (server: PodServer) => Transport][] = [
  ['direct', ({ kubernetes }) => createDirectTransport({ kubernetes })],
  ['exec', ({ kubernetes }) => createExecTransport({ kubernetes, binaries: noBinaries })],
  ['port-forward', ({ kubernetes }) => createPortForwardTransport({ kubernetes })],
];

describe.each(ways)('%s', (kind, create) => {
  test.each<[string, object | undefined]>([
    ['does not exist', undefined],
    ['is a later one of the same name', { ...runningPod, metadata: { ...runningPod.metadata, uid: 'uid-2' } }],
  ])('leads to no pod that %s', async (_what, pod) => {
    await using server = await servePod(pod, { subprotocol: 'v4.channel.k8s.io' });
    const transport = create(server);
    expect(transport.kind).toBe(kind);
    expect(await codeOf(transport.open(target, signal))).toBe('conflict');
  });

  test('is given up with the reason of its signal', async () => {
    await using server = await servePod(undefined, { onRequest: () => undefined, onUpgrade: (_request, socket) => void socket.resume() });
    const abort = new AbortController();
    const opening = create(server).open(target, abort.signal);
    setImmediate(() => abort.abort(new Error('enough')));
    await expect(opening).rejects.toThrow('enough');
    await expect(create(server).open(target, abort.signal)).rejects.toThrow('enough');
  });

  test('says where Kubernetes cannot be reached', async () => {
    const server = await servePod(runningPod);
    await server[Symbol.asyncDispose]();
    expect(await codeOf(create(server).open(target, AbortSignal.timeout(5_000)))).toBe('cluster_unavailable');
  });
});

describe.each(ways.filter(([kind]) => kind !== 'exec'))('%s', (_kind, create) => {
  test('leads to no pod that has no secret', async () => {
    await using server = await servePod(runningPod);
    expect(await codeOf(create(server).open({ ...target, secret: undefined }, signal))).toBe('helper_unreachable');
  });
});

describe('direct', () => {
  const open = (server: PodServer, door: { readonly port: number }, to: PodTarget = target): Promise<Duplex> =>
    createDirectTransport({ ...server, port: door.port, connectTimeoutMs: 500 }).open(to, signal);

  test('reaches the helper at the address of the pod', async () => {
    await using door = await openHelperDoor({ onOpen: reply });
    await using server = await servePod(runningPod);
    expect(await converse(await open(server, door))).toBe('HELLO');
  });

  test('is not for a helper with another secret', async () => {
    await using door = await openHelperDoor();
    await using server = await servePod(runningPod);
    expect(await codeOf(open(server, door, { ...target, secret: new Uint8Array(32) }))).toBe('helper_unreachable');
  });

  test.each<[string, object, string]>([
    ['is between two runs', { status: { podIP: '127.0.0.1', containerStatuses: [{ name: 'session', state: {} }] } }, 'pod_restarting'],
    ['does not listen: the helper is PID 1', {}, 'pod_restarting'],
    ['has no address yet', { status: {} }, 'helper_unreachable'],
  ])('says that a container %s', async (_what, change, code) => {
    const closed = createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port } = closed.address() as AddressInfo;
    closed.close();
    await using server = await servePod({ ...runningPod, ...change });
    expect(await codeOf(open(server, { port }))).toBe(code);
  });
});

describe('port-forward', () => {
  const forwardTo =
    (door: HelperDoor) =>
    (socket: WebSocket): void => {
      const tcp = connect(door.port, '127.0.0.1');
      for (const channel of [0, 1]) socket.send(message(channel, Buffer.from([7171 % 256, 7171 >> 8])));
      tcp
        .on('data', (bytes) => socket.send(message(0, bytes)))
        .on('close', () => socket.close(1000))
        .on('error', () => undefined);
      socket.on('message', (data: Buffer) => tcp.write(data.subarray(1))).on('close', () => tcp.destroy());
    };

  test('reaches the helper through the API server', async () => {
    await using door = await openHelperDoor({ onOpen: reply });
    await using server = await servePod(runningPod, { subprotocol: 'v4.channel.k8s.io', onExec: forwardTo(door) });
    expect(await converse(await createPortForwardTransport(server).open(target, signal))).toBe('HELLO');
    await expect.poll(() => door.connections).toBe(0);
  });

  test('does not end with the signal that it was opened with', async () => {
    await using door = await openHelperDoor({ onOpen: reply });
    await using server = await servePod(runningPod, { subprotocol: 'v4.channel.k8s.io', onExec: forwardTo(door) });
    const abort = new AbortController();
    const stream = await createPortForwardTransport(server).open(target, abort.signal);
    abort.abort();
    expect(await converse(stream)).toBe('HELLO');
  });

  test('is not for a program that imitates the helper', async () => {
    await using door = await openHelperDoor({ onConnection: (socket) => void socket.resume().end('SSH-2.0-OpenSSH\r\n') });
    await using server = await servePod(runningPod, { subprotocol: 'v4.channel.k8s.io', onExec: forwardTo(door) });
    expect(await codeOf(createPortForwardTransport(server).open(target, signal))).toBe('helper_protocol_error');
    await expect.poll(() => door.connections).toBe(0);
  });

  test('says where nothing listens', async () => {
    await using server = await servePod(runningPod, {
      subprotocol: 'v4.channel.k8s.io',
      onExec: (socket) => {
        for (const channel of [0, 1]) socket.send(message(channel, Buffer.from([7171 % 256, 7171 >> 8])));
        socket.send(message(1, 'error forwarding port 7171: connection refused'));
        socket.close(1000);
      },
    });
    expect(await codeOf(createPortForwardTransport(server).open(target, signal))).toBe('pod_restarting');
  });
});

describe('exec', () => {
  const commandOf = (url = ''): string[] => new URL(url, 'http://x').searchParams.getAll('command');
  const open = (server: PodServer, to: Partial<PodTarget> = {}, opening = signal): Promise<Duplex> =>
    createExecTransport({ ...server, binaries: noBinaries }).open({ ...target, ...to }, opening);
  const ready = message(1, '\nberth-helper ready\n');
  const echo = (socket: WebSocket): void =>
    void socket.on('message', (data: Buffer) => data[0] === 0 && socket.send(message(1, data.subarray(1).toString().toUpperCase())));

  test('needs no shell where an init container has brought the helper', async () => {
    let command: string[] = [];
    await using server = await servePod(runningPod, {
      onExec: (socket, { url }) => {
        command = commandOf(url);
        echo(socket);
      },
    });
    expect(await converse(await open(server, { delivery: 'init' }))).toBe('HELLO');
    expect(command).toEqual(['/berth/bin/helper', 'connect']);
  });

  test('goes through the shell where the helper may still have to come, and outlives the signal it was opened with', async () => {
    let command: string[] = [];
    await using server = await servePod(runningPod, {
      onExec: (socket, { url }) => {
        command = commandOf(url);
        socket.send(ready);
        echo(socket);
      },
    });
    const abort = new AbortController();
    const stream = await open(server, {}, abort.signal);
    abort.abort();
    expect(await converse(stream)).toBe('HELLO');
    expect(command.slice(0, 2)).toEqual(['sh', '-c']);
  });

  test('closes the exec stream with the channel, and with an opening that is given up', async () => {
    let closed = 0;
    await using server = await servePod(runningPod, {
      onExec: (socket) => {
        if (closed === 0) socket.send(ready);
        socket.on('close', () => (closed += 1));
      },
    });
    (await open(server)).destroy();
    await expect.poll(() => closed).toBe(1);
    expect(await codeOf(open(server, {}, AbortSignal.timeout(200)))).toMatch(/TimeoutError/);
    await expect.poll(() => closed).toBe(2);
  });

  const failed = (words: string): string => JSON.stringify({ status: 'Failure', reason: 'InternalError', message: words });
  test.each<[string, (socket: WebSocket) => void, string]>([
    ['has no shell', (socket) => finish(socket, failed('exec: "sh": executable file not found in $PATH')), 'helper_no_shell'],
    ['is between two runs', (socket) => finish(socket, failed('container not found ("session")')), 'pod_restarting'],
    ['ends meanwhile', (socket) => finish(socket, exitStatus(137)), 'pod_restarting'],
    ['loses its connection', (socket) => socket.terminate(), 'helper_unreachable'],
  ])('says that a container %s', async (_what, end, code) => {
    await using server = await servePod(runningPod, { onExec: end });
    expect(await codeOf(open(server))).toBe(code);
  });

  test('says of a container that is refused by the kubelet that it restarts', async () => {
    const body = JSON.stringify({ code: 500, reason: 'InternalError', message: 'container not found ("session")' });
    await using server = await servePod(runningPod, {
      onUpgrade: (_request, socket) =>
        void socket.end(`HTTP/1.1 500 Internal Server Error\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`),
    });
    expect(await codeOf(open(server))).toBe('pod_restarting');
  });

  test('fails the channel with what the helper said last, where that fails later', async () => {
    await using server = await servePod(runningPod, {
      onExec: (socket) => {
        socket.send(ready);
        socket.send(message(2, 'helper: exec format error\n'));
        finish(socket, exitStatus(126));
      },
    });
    const stream = await open(server);
    const error: unknown = await text(stream).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'helper_undeliverable', detail: expect.stringContaining('exec format error') as unknown });
  });
});

function exitStatus(code: number): string {
  const causes = [{ reason: 'ExitCode', message: String(code) }];
  return JSON.stringify({ status: 'Failure', reason: 'NonZeroExitCode', message: 'command terminated', details: { causes } });
}
