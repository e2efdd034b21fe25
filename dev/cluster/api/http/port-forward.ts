/**
 * `pods/portforward` over WebSocket (`v4.channel.k8s.io`): two channels for each port asked for, in that order, data and error. The first
 * message on each is the port's number, 2 bytes, little-endian. How it behaves was seen on Kubernetes 1.34 with containerd.
 *
 * `kubectl port-forward` speaks SPDY, straight or tunnelled through a WebSocket, which is not served.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { sandboxId } from '../../port.ts';
import type { Node } from '../../port.ts';
import type { ObjectStore } from '../object-store.ts';
import { pods } from '../resources.ts';
import { badRequest, KubeletRefusal, notFound } from '../status.ts';
import { carryOutput, LONGEST_MESSAGE, offeredProtocols, sendOn, toBuffer } from './websocket.ts';

const PROTOCOL = 'v4.channel.k8s.io';
/** How long containerd lets the other direction go on once one has ended. */
const LINGER_MS = 1000;

export interface PortForwardServer {
  /** Throws a refusal before the upgrade; what goes wrong later is told on the error channel. */
  upgrade(
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    target: { readonly namespace: string | undefined; readonly name: string },
    query: URLSearchParams,
  ): void;
  close(): void;
}

export function createPortForwardServer(objects: ObjectStore, node: () => Node): PortForwardServer {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: LONGEST_MESSAGE,
    handleProtocols: () => PROTOCOL,
  });
  return {
    upgrade(request, socket, head, { namespace = '', name }, query) {
      const ports = parsePorts(query.getAll('ports'));
      const pod = objects.get<V1Pod>(pods, namespace, name);
      if (pod === undefined) throw notFound(pods, name);
      if (pod.spec?.nodeName === undefined) throw badRequest(`pod ${name} does not have a host assigned`);
      const offered = offeredProtocols(request);
      if (ports.length === 0) throw new KubeletRefusal(400, 'query parameter "port" is required');
      if (ports.includes(0)) throw new KubeletRefusal(400, 'port "0" must be > 0');
      const { phase } = pod.status ?? {};
      if (phase === 'Succeeded' || phase === 'Failed') throw new KubeletRefusal(500, `pod not found ("${name}_${namespace}")`);
      if (!offered.includes(PROTOCOL)) throw new KubeletRefusal(403, '');
      server.handleUpgrade(request, socket, head, (websocket) => {
        const uid = pod.metadata?.uid ?? '';
        void forward({ websocket, uid, connect: (port) => node().connect(namespace, name, port) }, ports);
      });
    },
    close() {
      for (const websocket of server.clients) websocket.terminate();
      server.close();
    },
  };
}

/** `ports=80&ports=81` or `ports=80,81`. Throws 400 for what is no port, in the words of the API server. */
function parsePorts(values: readonly string[]): readonly number[] {
  return values
    .flatMap((value) => value.split(','))
    .map((text) => {
      const problem = /^\d+$/.test(text) ? 'value out of range' : 'invalid syntax';
      if (problem === 'invalid syntax' || Number(text) > 65_535)
        throw badRequest(`cannot convert to []int32: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${problem}`);
      return Number(text);
    });
}

interface Forward {
  readonly websocket: WebSocket;
  /** Of the pod. */
  readonly uid: string;
  readonly connect: (port: number) => Promise<Duplex>;
}

/** Carries all ports until each has ended, or the client goes. */
async function forward(context: Forward, ports: readonly number[]): Promise<void> {
  const { websocket } = context;
  // Protocol errors and resets are followed by 'close', which is what counts.
  websocket.on('error', () => undefined);
  // Nothing is read before there is a connection to give it to.
  websocket.pause();
  ports.forEach((port, index) => announce(websocket, index, port));
  const connections = await Promise.all(ports.map((port, index) => tryPort(context, index, port)));
  websocket.on('message', (data) => {
    const bytes = toBuffer(data);
    const channel = bytes[0] ?? 0;
    const connection = channel % 2 === 0 ? connections[channel / 2] : undefined;
    if (connection?.writable === true && bytes.length > 1 && !connection.write(bytes.subarray(1))) websocket.pause();
  });
  websocket.on('close', () => connections.forEach((connection) => connection?.destroy()));
  websocket.resume();
  await Promise.all(connections.map((connection, index) => carry(context, index, ports[index] ?? 0, connection)));
  if (websocket.readyState === websocket.OPEN) websocket.close(1000);
}

function announce(websocket: WebSocket, index: number, port: number): void {
  const number = Buffer.alloc(2);
  number.writeUInt16LE(port);
  for (const channel of [index * 2, index * 2 + 1]) sendOn(websocket, channel, number);
}

/** A port that nobody answers on is told on its error channel; the others go on. */
async function tryPort(context: Forward, index: number, port: number): Promise<Duplex | undefined> {
  try {
    return await context.connect(port);
  } catch (error) {
    tell(context, index, port, error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

async function carry(context: Forward, index: number, port: number, connection: Duplex | undefined): Promise<void> {
  if (connection === undefined) return;
  const { websocket } = context;
  let problem: string | undefined;
  connection.on('error', (error) => (problem = error.message));
  connection.on('close', () => websocket.resume());
  connection.on('drain', () => websocket.resume());
  await carryOutput(websocket, index * 2, connection);
  await delay(LINGER_MS, undefined, { ref: false });
  if (problem !== undefined) tell(context, index, port, problem.replace(/^read ECONNRESET$/, 'read: connection reset by peer'));
  connection.destroy();
}

/** The words of containerd about a port. */
function tell({ websocket, uid }: Forward, index: number, port: number, problem: string): void {
  const id = sandboxId(uid);
  const where = `failed to execute portforward in network namespace "/var/run/netns/cni-${uid}"`;
  const message = `error forwarding port ${port} to pod ${id}, uid : ${where}: ${problem}`;
  if (websocket.readyState === websocket.OPEN) sendOn(websocket, index * 2 + 1, Buffer.from(message));
}
