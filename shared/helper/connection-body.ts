/**
 * The body of a response, which no slow reader makes this process hold: a paused reader stops the peer after one window.
 *
 * @module
 */
import { constants, type ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';

/** Chunks, each a frame at most. Kept apart, for a reader that takes several at once has them copied into one. */
const READ_AHEAD_CHUNKS = 2;

export interface BodyOwner {
  /** Resets the stream. */
  reset(): void;
  /** What to tell readers of a body that broke off. */
  failure(): Error;
  /** The connection or the request is over for a reason of its own. */
  failed(): boolean;
}

/** Destroying it resets the stream, also where only the response has ended: the request's half may still be open. */
export class ResponseBody extends Readable {
  readonly #stream: ClientHttp2Stream;
  readonly #owner: BodyOwner;
  #complete = false;

  constructor(stream: ClientHttp2Stream, owner: BodyOwner) {
    // The end of the response must not close a stream on which the request goes on (a half-closed TCP connection).
    super({ objectMode: true, highWaterMark: READ_AHEAD_CHUNKS, autoDestroy: false });
    this.#stream = stream;
    this.#owner = owner;
    // A body that breaks off before anybody reads it is told to the reader who comes later, and is no uncaught error.
    this.on('error', () => undefined);
    stream.pause();
    stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) stream.pause();
    });
    stream.on('end', () => {
      // Node ends the body of a stream that was reset, or whose connection was cut, as if it were whole.
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || owner.failed()) return;
      this.#complete = true;
      this.push(null);
    });
    stream.on('close', () => this.#closed());
  }

  #closed(): void {
    if (!this.#complete) this.destroy(this.#owner.failure());
    else if (this.readableEnded) this.destroy();
    else this.once('end', () => this.destroy());
  }

  override _read(): void {
    this.#stream.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#stream.closed) this.#owner.reset();
    done(error);
  }
}
