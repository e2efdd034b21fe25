/**
 * TCP to ports of the pod, as streams of its channel.
 *
 * @module
 */
import { Duplex, PassThrough, type Readable } from 'node:stream';
import type { Caller } from './client-request.ts';

export interface Ports {
  /** Both halves end on their own, as with TCP. Destroying it resets the connection. Throws `AppError` where nothing listens. */
  connect(port: number, signal: AbortSignal): Promise<Duplex>;
}

export function createPorts(caller: Caller): Ports {
  return {
    connect: async (port, signal) => {
      const writable = new PassThrough();
      const { body: readable } = await caller.open('POST', `/tcp/${String(port)}`, { body: writable, signal });
      return new PortStream(readable, writable);
    },
  };
}

/** `Duplex.from` ends both halves when the first of them ends, and loses the reason where one fails. */
class PortStream extends Duplex {
  readonly #readable: Readable;
  readonly #writable: PassThrough;

  constructor(readable: Readable, writable: PassThrough) {
    super({ allowHalfOpen: true });
    this.#readable = readable;
    this.#writable = writable;
    readable.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) readable.pause();
    });
    readable.on('end', () => this.push(null));
    readable.on('error', (error) => this.destroy(error));
    writable.on('error', (error) => this.destroy(error));
    readable.pause();
  }

  override _read(): void {
    this.#readable.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#writable.write(chunk)) return done();
    this.#writable.once('drain', done);
  }

  override _final(done: () => void): void {
    this.#writable.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#readable.destroy();
    if (!this.#writable.writableFinished) this.#writable.destroy();
    done(error);
  }
}
