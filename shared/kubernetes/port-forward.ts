/**
 * A TCP connection to a port of a pod as a Node stream. A paused reader stops the socket, writes wait until they have left, and a lost
 * connection is an error, never an end.
 *
 * @module
 */
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { ExecDialer } from './exec-handshake.ts';
import { watchPeer, type KeepAlive, type PeerWatch } from './exec-keepalive.ts';
import { sendWithBackpressure } from './exec-send.ts';
import { isPortHeader, parsePortForwardFrame, portForwardPath, portForwardSubprotocols } from './port-forward-protocol.ts';
import type { PortForwardOptions } from './port.ts';

const READ_AHEAD_BYTES = 256 * 1024;
const MAX_ERROR_BYTES = 4_096;

/**
 * Opens the stream. Throws as `ExecDialer.dial` does. That nothing listens on the port is told later, by an error of the stream, whose
 * message has the runtime's words.
 *
 * The protocol has no half-close. `end()` only ends our own writing: the program in the pod sees the end of its input when the stream is
 * destroyed. Where that program ends its output first, containerd closes the whole connection one second later.
 *
 * The service account needs `get` on `pods/portforward` (a WebSocket is a GET), and from 1.35 on `create` as well.
 */
export async function openPortForward(dialer: ExecDialer, options: PortForwardOptions, keepAlive?: KeepAlive): Promise<Duplex> {
  // A second attempt, after a 401, gets a stream of its own.
  let stream: Duplex | undefined;
  const attach = (socket: WebSocket): void => {
    stream = new PortForwardStream(socket, options, keepAlive);
  };
  await dialer.dial(portForwardPath(options), options.signal, attach, portForwardSubprotocols);
  if (stream === undefined) throw new TypeError('The dialer opened a stream without handing it over.');
  return stream;
}

class PortForwardStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #port: number;
  readonly #headers = new Set<'data' | 'error'>();
  #peer: PeerWatch | undefined;
  #refusal = '';

  constructor(socket: WebSocket, { port, signal }: PortForwardOptions, keepAlive?: KeepAlive) {
    // When the server closes, it closes both ways.
    super({ allowHalfOpen: false, readableHighWaterMark: READ_AHEAD_BYTES, writableHighWaterMark: READ_AHEAD_BYTES });
    this.#socket = socket;
    this.#port = port;
    // Whoever gets the stream may come to listen a moment after it broke.
    this.on('error', () => undefined);
    socket.on('message', (data, isBinary) => this.#receive(data as Buffer, isBinary));
    socket.on('close', (code) => this.#closed(code));
    socket.on('open', () => this.#opened(signal, keepAlive));
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#peer?.sent();
    sendWithBackpressure(this.#socket, chunk, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }

  #opened(signal: AbortSignal, keepAlive?: KeepAlive): void {
    const abort = (): void => void this.destroy(new Error('The port-forward was closed on this side.', { cause: signal.reason }));
    const peer = watchPeer(this.#socket, (message) => this.destroy(new Error(message)), keepAlive);
    this.#peer = peer;
    signal.addEventListener('abort', abort, { once: true });
    this.#socket.on('error', (error) => this.destroy(error));
    this.#socket.on('close', () => {
      peer.stop();
      signal.removeEventListener('abort', abort);
    });
  }

  #receive(message: Buffer, isBinary: boolean): void {
    const frame = parsePortForwardFrame(message, isBinary);
    if (frame.type === 'invalid') return this.#refuse(frame.message);
    if (!this.#headers.has(frame.type)) {
      this.#headers.add(frame.type);
      if (!isPortHeader(frame.payload, this.#port)) this.#refuse('the wrong port');
      return;
    }
    if (frame.type === 'data') return this.#push(frame.payload);
    this.#refusal = (this.#refusal + frame.payload.toString()).slice(0, MAX_ERROR_BYTES);
  }

  #push(payload: Buffer): void {
    if (payload.length > 0 && !this.destroyed && !this.push(payload)) this.#socket.pause();
  }

  #refuse(what: string): void {
    this.destroy(new Error(`The server broke the port-forward protocol: ${what}.`));
  }

  // Only a close of the server's own accord, after both headers and no error, is the end of the program's output.
  #closed(code: number): void {
    if (this.#refusal !== '') this.destroy(new Error(this.#refusal));
    else if (code === 1000 && this.#headers.size === 2) this.push(null);
    else this.destroy(new Error(`The connection to the pod was lost (close code ${String(code)}).`));
  }
}
