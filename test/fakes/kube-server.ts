/**
 * A tiny HTTP and WebSocket server that plays an API server as badly as a test wants it to.
 *
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import type { ClusterEndpoint } from '../../shared/kubernetes/access.ts';

export interface KubeServerOptions {
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => void;
  /** Called instead of the WebSocket handshake. */
  readonly onUpgrade?: (request: IncomingMessage, socket: Socket) => void;
  readonly onExec?: (socket: WebSocket, request: IncomingMessage) => void;
  readonly subprotocol?: string;
  readonly autoPong?: boolean;
}

export interface KubeServer extends AsyncDisposable {
  readonly url: string;
  readonly endpoint: ClusterEndpoint;
  /** How many TCP connections were ever made. */
  readonly connections: number;
}

export async function startKubeServer(options: KubeServerOptions): Promise<KubeServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const { autoPong = true } = options;
  const webSockets = new WebSocketServer({ noServer: true, autoPong, handleProtocols: () => options.subprotocol ?? 'v5.channel.k8s.io' });
  const server = createServer(options.onRequest ?? ((_request, response) => void response.writeHead(404).end()));
  server.on('connection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
  });
  server.on('upgrade', (request, socket: Socket, head) => {
    if (options.onUpgrade !== undefined) return options.onUpgrade(request, socket);
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      webSocket.on('error', () => undefined);
      options.onExec?.(webSocket, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  return {
    url,
    endpoint: { server: url, tls: {}, headers: async () => ({}), expireHeaders: () => undefined },
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Polls until the condition holds; throws after `timeoutMs`. */
export async function eventually(condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${String(timeoutMs)} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Waits until a number has not changed for `quietMs`, and returns it. */
export async function settled(read: () => number, quietMs = 150, timeoutMs = 5_000): Promise<number> {
  const end = performance.now() + timeoutMs;
  let last = read();
  let since = performance.now();
  while (performance.now() - since < quietMs) {
    if (performance.now() > end) throw new Error(`still changing after ${String(timeoutMs)} ms, at ${String(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
    const value = read();
    if (value !== last) [last, since] = [value, performance.now()];
  }
  return last;
}
