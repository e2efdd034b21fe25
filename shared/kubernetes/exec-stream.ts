/**
 * A command in a container as Node streams. Slow readers slow the command down and full pipes hold the writer back; a lost connection
 * is always told apart from a command that ended.
 *
 * The outputs share one connection: who leaves one of them unread holds up the other, and `exit` with it. Destroy (or `resume()`) what
 * is not of interest.
 *
 * @module
 */
import { Duplex, Readable, Writable } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { ExecDialer } from './exec-handshake.ts';
import { watchPeer, type KeepAlive, type PeerWatch } from './exec-keepalive.ts';
import { channels, execPath, parseExecStatus, parseServerFrame, resizeFrame, stdinEndFrame } from './exec-protocol.ts';
import { sendWithBackpressure } from './exec-send.ts';
import type { ExecExit, ExecOptions, ExecStream } from './port.ts';

/** Opens the stream and starts the command. Throws as `ExecDialer.dial` does; what happens later is told by `exit`. */
export async function openExecStream(dialer: ExecDialer, options: ExecOptions, keepAlive?: KeepAlive): Promise<ExecStream> {
  // A second attempt, after a 401, gets streams of its own.
  let connection: ExecConnection | undefined;
  await dialer.dial(execPath(options), options.signal, (socket) => {
    connection = new ExecConnection(socket, options, keepAlive);
  });
  if (connection === undefined) throw new TypeError('The dialer opened a stream without handing it over.');
  return connection;
}

const READ_AHEAD_BYTES = 256 * 1024;
// How long the server may take to close the connection after it has said how the command ended.
const CLOSE_AFTER_STATUS_MS = 2_000;

class ExecConnection implements ExecStream {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exit: Promise<ExecExit>;
  readonly #socket: WebSocket;
  readonly #full = new Set<Readable>();
  readonly #ended = new Set<Readable>();
  #settle: (exit: ExecExit) => void = () => undefined;
  #status = '';
  #loss: string | undefined;
  #peer: PeerWatch | undefined;
  #duplex: Duplex | undefined;
  #closeTimer: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, options: ExecOptions, keepAlive?: KeepAlive) {
    this.#socket = socket;
    this.stdin = this.#createStdin(options.stdin === true);
    this.stdout = this.#createOutput();
    this.stderr = this.#createOutput();
    if (options.tty === true) this.#end(this.stderr);
    this.exit = new Promise((resolve) => {
      this.#settle = resolve;
    });
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()));
    socket.on('open', () => this.#opened(options.signal, keepAlive));
  }

  #opened(signal: AbortSignal, keepAlive?: KeepAlive): void {
    const abort = (): void => this.close();
    const peer = watchPeer(this.#socket, (message) => this.#lose(message), keepAlive);
    this.#peer = peer;
    signal.addEventListener('abort', abort, { once: true });
    this.#socket.on('error', (error) => this.#lose(error.message));
    this.#socket.on('close', () => {
      peer.stop();
      signal.removeEventListener('abort', abort);
    });
  }

  get halfClose(): boolean {
    return this.#socket.protocol === 'v5.channel.k8s.io';
  }

  get duplex(): Duplex {
    if (this.#duplex === undefined) {
      const duplex = Duplex.from({ readable: this.stdout, writable: this.stdin });
      void this.exit.then((exit) => {
        if (exit.type === 'lost') duplex.destroy(new Error(exit.message));
      });
      this.#duplex = duplex;
    }
    return this.#duplex;
  }

  resize(columns: number, rows: number): void {
    this.#socket.send(resizeFrame(columns, rows), () => undefined);
  }

  close(): void {
    this.#lose('The stream was closed on this side.');
  }

  #createStdin(wanted: boolean): Writable {
    const stdin = new Writable({
      highWaterMark: READ_AHEAD_BYTES,
      write: (chunk: Buffer, _encoding, done) => this.#write(chunk, done),
      final: (done) => {
        if (wanted && this.halfClose) this.#socket.send(stdinEndFrame(), () => done());
        else done();
      },
    });
    // A command may end without having read all its input; the writer learns it by `exit`, or by the error where it listens.
    stdin.on('error', () => undefined);
    if (!wanted) stdin.destroy();
    return stdin;
  }

  #write(chunk: Buffer, done: (error?: Error | null) => void): void {
    this.#peer?.sent();
    sendWithBackpressure(this.#socket, chunk, done);
  }

  #createOutput(): Readable {
    const output = new Readable({
      highWaterMark: READ_AHEAD_BYTES,
      read: () => this.#drained(output),
      destroy: (error, done) => {
        this.#drained(output);
        done(error);
      },
    });
    return output;
  }

  #drained(output: Readable): void {
    if (this.#full.delete(output) && this.#full.size === 0) this.#socket.resume();
  }

  #push(output: Readable, payload: Buffer): void {
    if (payload.length === 0 || output.destroyed || this.#ended.has(output)) return;
    if (output.push(payload)) return;
    this.#full.add(output);
    this.#socket.pause();
  }

  #end(output: Readable): void {
    if (this.#ended.has(output) || output.destroyed) return;
    this.#ended.add(output);
    output.push(null);
  }

  #endChannel(channel: number): void {
    if (channel === channels.stdout) this.#end(this.stdout);
    if (channel === channels.stderr) this.#end(this.stderr);
  }

  #receive(data: RawData, isBinary: boolean): void {
    const frame = parseServerFrame(data as Buffer, isBinary);
    if (frame.type === 'stdout' || frame.type === 'stderr') return this.#push(this[frame.type], frame.payload);
    if (frame.type === 'status') return this.#receiveStatus(frame.payload);
    if (frame.type === 'end') return this.#endChannel(frame.channel);
    this.#lose(`The server broke the exec protocol: ${frame.message}.`);
  }

  #receiveStatus(payload: Buffer): void {
    if (payload.length === 0) return;
    this.#status += payload.toString();
    this.#closeTimer ??= setTimeout(() => this.#socket.terminate(), CLOSE_AFTER_STATUS_MS);
  }

  #lose(message: string): void {
    this.#loss ??= message;
    this.#socket.terminate();
  }

  #closed(code: number, reason: string): void {
    clearTimeout(this.#closeTimer);
    const detail = reason === '' ? `close code ${String(code)}` : `close code ${String(code)}, ${reason}`;
    const lost: ExecExit = { type: 'lost', message: this.#loss ?? `The connection to the container was lost (${detail}).` };
    const exit = this.#status === '' ? lost : parseExecStatus(this.#status);
    this.#end(this.stdout);
    this.#end(this.stderr);
    this.stdin.destroy(exit.type === 'lost' ? new Error(exit.message) : undefined);
    this.#settle(exit);
  }
}
