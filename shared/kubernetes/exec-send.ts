/**
 * How bytes for the pod go into a WebSocket: in pieces, and not faster than they leave.
 *
 * @module
 */
import type { WebSocket } from 'ws';
import { stdinFrames } from './exec-protocol.ts';

const WRITE_AHEAD_BYTES = 1024 * 1024;
const FRAME_BYTES = 32 * 1024;

/**
 * Sends `chunk` on channel 0, which is stdin of an exec stream and the data of a port-forward. `done` is called at once while less than
 * 1 MiB waits in the socket, else when the chunk has left it.
 */
export function sendWithBackpressure(socket: WebSocket, chunk: Uint8Array, done: (error?: Error | null) => void): void {
  const frames = stdinFrames(chunk, FRAME_BYTES);
  const last = frames.pop();
  for (const frame of frames) socket.send(frame, () => undefined);
  if (last === undefined) return done();
  const ahead = socket.bufferedAmount < WRITE_AHEAD_BYTES;
  socket.send(last, (error) => {
    if (!ahead) done(error);
  });
  if (ahead) done();
}
