/**
 * What `pods/exec` and `pods/portforward` have in common: messages of which the first byte names a channel, and backpressure.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http';
import type { RawData, WebSocket } from 'ws';
import { badRequest } from '../status.ts';

/** A client that does not read makes what is sent to it wait once this many bytes lie in the socket. */
const HIGH_WATER = 1024 * 1024;
export const LONGEST_MESSAGE = 32 * 1024 * 1024;

/** The protocols that a client offers. Throws 400 for what is no WebSocket: kubectl tries SPDY after that, and shows the answer. */
export function offeredProtocols(request: IncomingMessage): readonly string[] {
  if (request.headers.upgrade?.toLowerCase() !== 'websocket')
    throw badRequest(`unable to upgrade: ${request.headers.upgrade} is not served, use a WebSocket`);
  return (request.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
}

export function sendOn(websocket: WebSocket, channel: number, bytes: Uint8Array, done?: () => void): void {
  const frame = Buffer.allocUnsafe(bytes.length + 1);
  frame[0] = channel;
  frame.set(bytes, 1);
  websocket.send(frame, { binary: true }, done);
}

export function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}

/** Sends a stream on a channel. Resolves when it has ended and everything is handed to the socket. */
export async function carryOutput(websocket: WebSocket, channel: number, stream: NodeJS.ReadableStream | undefined): Promise<void> {
  if (stream === undefined) return;
  const sent = (): void => {
    if (websocket.bufferedAmount < HIGH_WATER || websocket.readyState !== websocket.OPEN) stream.resume();
  };
  // Without a reader the output is dropped, or the process would stand still for ever.
  websocket.on('close', () => stream.resume());
  stream.on('data', (chunk: Buffer) => {
    if (websocket.readyState !== websocket.OPEN) return;
    sendOn(websocket, channel, chunk, sent);
    if (websocket.bufferedAmount >= HIGH_WATER) stream.pause();
  });
  await new Promise<void>((resolve) => {
    stream.on('end', resolve);
    stream.on('close', resolve);
    stream.on('error', () => resolve());
  });
}
