/**
 * `portforward` of the embedded cluster's API. The words and the order of things are those of Kubernetes 1.34 with containerd.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { container, NS, startApiRig, TOKEN, until } from '../unit/dev/cluster-api/api-rig.ts';
import type { ApiRig } from '../unit/dev/cluster-api/api-rig.ts';

const MIB = 1024 * 1024;

let rig: ApiRig;
const servers: Server[] = [];

beforeAll(async () => {
  rig = await startApiRig();
  await rig.createPod('open');
  await rig.createPod('nowhere', { nodeSelector: { disk: 'fast' } });
  await rig.createPod('two', { containers: [container(), container({ name: 'd' })] });
  await until(async () =>
    (await rig.core.readNamespacedPod({ name: 'open', namespace: NS })).status?.phase === 'Running' ? true : undefined,
  );
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rig.node.ports.clear();
});
afterAll(() => rig.stop());

/** Listens as a program in the pod would, and is found under that port of it. */
async function listen(podPort: number, onConnection: (socket: Socket) => void): Promise<void> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  servers.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  rig.node.ports.set(podPort, (server.address() as AddressInfo).port);
}

interface Forward {
  readonly socket: WebSocket;
  /** What came on each channel, message by message. */
  readonly messages: Map<number, Buffer[]>;
  readonly closed: Promise<number>;
  send(channel: number, bytes: Uint8Array): void;
}

function forward(query: string, pod = 'open', protocol = 'v4.channel.k8s.io'): Forward {
  const url = `${rig.url.replace('http', 'ws')}/api/v1/namespaces/${NS}/pods/${pod}/portforward?${query}`;
  const socket = new WebSocket(url, protocol, { headers: { authorization: `Bearer ${TOKEN}` } });
  const messages = new Map<number, Buffer[]>();
  socket.on('message', (data: Buffer) => messages.set(data[0] ?? -1, [...(messages.get(data[0] ?? -1) ?? []), data.subarray(1)]));
  // What goes wrong shows in the code, or in what has not arrived.
  socket.on('error', () => undefined);
  return {
    socket,
    messages,
    closed: new Promise((resolve) => socket.on('close', resolve)),
    send: (channel, bytes) => socket.send(Buffer.concat([Buffer.from([channel]), bytes])),
  };
}

/** Resolves when a number has not changed for a fifth of a second. */
async function standstill(read: () => number): Promise<void> {
  let last = read();
  let since = performance.now();
  await until(async () => {
    const now = read();
    if (now !== last) since = performance.now();
    last = now;
    return performance.now() - since > 200 ? true : undefined;
  });
}

describe('portforward', () => {
  it('says on both channels of each port which it is, then carries bytes both ways', async () => {
    await listen(8080, (socket) => socket.pipe(socket));
    await listen(65_535, (socket) => socket.end('other'));
    const { socket, messages, send } = forward('ports=8080&ports=65535');
    await once(socket, 'open');
    send(0, Buffer.from('hello'));
    await until(async () => (messages.get(0)?.length === 2 && messages.get(2)?.length === 2 ? true : undefined));
    expect([0, 1, 2, 3].map((channel) => messages.get(channel)?.[0]?.toString('hex'))).toEqual(['901f', '901f', 'ffff', 'ffff']);
    expect([messages.get(0)?.[1]?.toString(), messages.get(2)?.[1]?.toString()]).toEqual(['hello', 'other']);
    expect(socket.protocol).toBe('v4.channel.k8s.io');
    socket.terminate();
  });

  it('tells on the error channel that nobody listens, and ends where that was all', async () => {
    const { messages, closed } = forward('ports=9999');
    expect(await closed).toBe(1000);
    expect(messages.get(1)?.[1]?.toString()).toContain('error forwarding port 9999');
    expect(messages.get(0)).toHaveLength(1);
  });

  it('tells on the error channel that the program in the pod has reset the connection', async () => {
    await listen(8080, (socket) => void socket.once('data', () => socket.resetAndDestroy()));
    const { socket, messages, closed, send } = forward('ports=8080');
    await once(socket, 'open');
    send(0, Buffer.from('x'));
    expect(await closed).toBe(1000);
    expect(messages.get(1)?.[1]?.toString()).toMatch(
      /^error forwarding port 8080 to pod [0-9a-f]{64}, uid : .*: read: connection reset by peer$/,
    );
  });

  it('goes on with the ports that somebody listens on', async () => {
    await listen(8080, (socket) => socket.pipe(socket));
    const { socket, messages, send } = forward('ports=9999,8080');
    await until(async () => messages.get(1)?.[1]);
    send(2, Buffer.from('still'));
    await until(async () => (messages.get(2)?.[1]?.toString() === 'still' ? true : undefined));
    socket.terminate();
  });

  it('ends a moment after the program in the pod has, with every byte', async () => {
    await listen(8080, (socket) => socket.end(Buffer.alloc(5 * MIB)));
    const { messages, closed } = forward('ports=8080');
    expect(await closed).toBe(1000);
    expect(Buffer.concat(messages.get(0)?.slice(1) ?? [])).toHaveLength(5 * MIB);
  });

  it('cuts the connection in the pod when the client goes', async () => {
    const gone = Promise.withResolvers<string>();
    await listen(8080, (socket) => void text(socket).then(gone.resolve, gone.reject));
    const { socket, send } = forward('ports=8080');
    await once(socket, 'open');
    send(0, Buffer.from('last words'));
    // Sent before the closing frame, so read before it.
    socket.close();
    expect(await gone.promise).toBe('last words');
  });

  it('makes the client wait for a program that does not read, and loses nothing', async () => {
    const bytes = randomBytes(24 * MIB);
    const reader = Promise.withResolvers<Socket>();
    await listen(8080, (socket) => reader.resolve(socket.pause()));
    const { socket, send } = forward('ports=8080');
    await once(socket, 'open');
    for (let start = 0; start < bytes.length; start += MIB) send(0, bytes.subarray(start, start + MIB));
    const stalled = await reader.promise;
    // The kernel and the server hold some; the rest stays with the client.
    await standstill(() => socket.bufferedAmount);
    expect(socket.bufferedAmount).toBeGreaterThan(5 * MIB);
    const hash = createHash('sha256');
    let received = 0;
    for await (const chunk of stalled as AsyncIterable<Buffer>) {
      hash.update(chunk);
      received += chunk.length;
      if (received === bytes.length) break;
    }
    expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    socket.terminate();
  });

  it('makes a program wait whose client does not read', async () => {
    const size = 40 * MIB;
    const writer = Promise.withResolvers<Socket>();
    await listen(8080, (socket) => {
      socket.end(Buffer.alloc(size));
      writer.resolve(socket);
    });
    const { socket, messages, closed } = forward('ports=8080');
    await once(socket, 'message');
    socket.pause();
    const stalled = await writer.promise;
    await standstill(() => stalled.bytesWritten - stalled.writableLength);
    expect(stalled.writableFinished).toBe(false);
    socket.resume();
    expect(await closed).toBe(1000);
    expect(messages.get(0)?.reduce((sum, part) => sum + part.length, 0)).toBe(size + 2);
  });

  const refused: readonly (readonly [what: string, query: string, pod: string, protocol: string, code: number, words: string])[] = [
    ['no port', 'x=1', 'open', 'v4.channel.k8s.io', 400, 'query parameter "port" is required'],
    ['the port 0', 'ports=0', 'open', 'v4.channel.k8s.io', 400, 'port "0" must be > 0'],
    ['a word', 'ports=abc', 'open', 'v4.channel.k8s.io', 400, 'strconv.ParseUint: parsing \\"abc\\": invalid syntax'],
    ['a port beyond all', 'ports=99999', 'open', 'v4.channel.k8s.io', 400, 'parsing \\"99999\\": value out of range'],
    ['a missing pod', 'ports=1', 'none', 'v4.channel.k8s.io', 404, 'pods \\"none\\" not found'],
    ['a pod without a node', 'ports=1', 'nowhere', 'v4.channel.k8s.io', 400, 'pod nowhere does not have a host assigned'],
    ['another protocol', 'ports=1', 'open', 'v5.channel.k8s.io', 403, ''],
  ];
  it.each(refused)('is refused before the upgrade for %s', async (_what, query, pod, protocol, code, words) => {
    const { socket } = forward(query, pod, protocol);
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    expect(response.statusCode).toBe(code);
    expect(await text(response)).toContain(words);
  });
});
