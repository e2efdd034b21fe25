/**
 * Opens the WebSocket of an exec stream or a port-forward, and turns every way in which that can fail into a typed error.
 *
 * @module
 */
import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { WebSocket } from 'ws';
import type { ClusterEndpoint } from './access.ts';
import { KubernetesError, KubernetesUnreachable, parseStatus } from './errors.ts';
import { subprotocols } from './exec-protocol.ts';

export interface ExecDialer {
  /**
   * A WebSocket that is open. `attach` gets it before the first message can arrive; `offered` are the subprotocols, those of exec unless
   * told. Throws `KubernetesError` for a refusal by the API
   * server, `KubernetesUnreachable` for anything else, and the signal's reason where that is aborted.
   */
  dial(path: string, signal: AbortSignal, attach: (socket: WebSocket) => void, offered?: readonly string[]): Promise<WebSocket>;
  close(): void;
}

const HANDSHAKE_TIMEOUT_MS = 15_000;
const TCP_KEEPALIVE_MS = 15_000;
const MAX_REFUSAL_BYTES = 64 * 1024;
// The API server copies in pieces of 32 KiB; what is far above is no API server.
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** One agent for all streams of a cluster: its cache of TLS sessions turns each further handshake into a resumption. */
export function createExecDialer(endpoint: ClusterEndpoint, handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS): ExecDialer {
  const url = endpoint.server.replace(/^http/, 'ws');
  const agent = url.startsWith('wss:') ? new HttpsAgent({ ...endpoint.tls, keepAlive: true }) : new HttpAgent({ keepAlive: true });

  const dial: ExecDialer['dial'] = async (path, signal, attach, offered = subprotocols) => {
    signal.throwIfAborted();
    const attempt = async (): Promise<WebSocket> => {
      const credentials = await endpoint.headers().catch((error: unknown) => {
        throw new KubernetesUnreachable('No credentials for the Kubernetes API could be had.', { cause: error });
      });
      const socket = new WebSocket(`${url}${path}`, [...offered], {
        agent,
        headers: { 'user-agent': 'berth', ...credentials },
        perMessageDeflate: false,
        skipUTF8Validation: true,
        maxPayload: MAX_MESSAGE_BYTES,
      });
      socket.on('upgrade', (response) => response.socket.setKeepAlive(true, TCP_KEEPALIVE_MS));
      attach(socket);
      return opened(socket, signal, handshakeTimeoutMs);
    };
    return attempt().catch((error: unknown) => {
      if (!(error instanceof KubernetesError) || error.status.code !== 401) throw error;
      endpoint.expireHeaders();
      return attempt();
    });
  };
  return { dial, close: () => agent.destroy() };
}

function opened(socket: WebSocket, signal: AbortSignal, timeoutMs: number): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const settle = (outcome: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.off('open', open).off('error', fail);
      outcome();
    };
    const giveUp = (reason: unknown): void => {
      settle(() => reject(reason));
      // `terminate` before the connection is open reports an error of its own.
      socket.on('error', () => undefined);
      socket.terminate();
    };
    const open = (): void => settle(() => resolve(socket));
    const fail = (cause: Error): void => giveUp(new KubernetesUnreachable('The stream to the pod could not be opened.', { cause }));
    const abort = (): void => giveUp(signal.reason);
    const timer = setTimeout(
      () => giveUp(new KubernetesUnreachable(`The stream to the pod did not open within ${String(timeoutMs)} ms.`)),
      timeoutMs,
    );

    signal.addEventListener('abort', abort, { once: true });
    socket.on('open', open).on('error', fail);
    socket.on('unexpected-response', (_request, response) => void readRefusal(response).then(giveUp, giveUp));
  });
}

async function readRefusal(response: IncomingMessage): Promise<Error> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_REFUSAL_BYTES) break;
    chunks.push(chunk);
  }
  return new KubernetesError(parseStatus(response.statusCode ?? 0, Buffer.concat(chunks).toString(), response.headers['retry-after']));
}
