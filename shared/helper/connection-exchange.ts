/**
 * One request and its response on a connection.
 *
 * @module
 */
import {
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from 'node:http2';
import type { Readable } from 'node:stream';
import type { AppError } from '../errors/app-error.ts';
import { ResponseBody } from './connection-body.ts';
import { connectionLost, protocolError } from './errors.ts';
import type { HelperRequest, HelperResponse } from './port.ts';

/** Informational responses (1xx) before the real one; the helper sends none, an imitator could send them for ever. */
const MOST_INFORMATIONAL = 16;
/** The part of the time for an answer after which the other side is pinged: an answer tells a busy helper from a dead connection. */
const PING_AFTER = 0.8;

export interface ExchangeContext {
  readonly answerWithinMs: number;
  /** Why the connection ended, once it has. */
  readonly lost: () => Error | undefined;
  readonly ping: (timeoutMs: number) => Promise<void>;
  /** The other side answers nothing any more. */
  readonly lose: (error: AppError) => void;
  readonly onClose: () => void;
}

type ResponseHeaders = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** Throws Node's own error where the session takes no more requests. */
export function exchange(session: ClientHttp2Session, request: HelperRequest, context: ExchangeContext): Promise<HelperResponse> {
  return new Exchange(session, request, context).response;
}

class Exchange {
  readonly #stream: ClientHttp2Stream;
  readonly #request: HelperRequest;
  readonly #context: ExchangeContext;
  readonly #answerWithinMs: number;
  // Node 24 leaves a stream half open, or spins, when `close(CANCEL)` meets a body that is being written, and ends a body that was cut
  // short as if it were whole. Its `signal` resets in all cases (tried against Go).
  readonly #reset = new AbortController();
  readonly response: Promise<HelperResponse>;
  #resolve: (response: HelperResponse) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #error: Error | undefined;
  #body: ResponseBody | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pinged: 'no' | 'waiting' | 'answered' = 'no';

  constructor(session: ClientHttp2Session, request: HelperRequest, context: ExchangeContext) {
    const { method, path, headers, body, signal } = request;
    this.#request = request;
    this.#context = context;
    this.response = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#answerWithinMs = request.answerWithinMs ?? context.answerWithinMs;
    const endStream = body === undefined;
    const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream, signal: this.#reset.signal });
    this.#stream = stream;
    stream.once('response', (answer: ResponseHeaders) => this.#answered(answer));
    let informational = 0;
    stream.on('headers', () => {
      informational += 1;
      if (informational > MOST_INFORMATIONAL) context.lose(protocolError('The helper sends headers without end.'));
    });
    stream.on('error', (error: Error) => {
      if (brokeHttp2(error, stream)) context.lose(protocolError('The helper broke HTTP/2.', error));
      this.#fail(this.#failure(error));
    });
    const abort = (): void => this.#fail(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    stream.once('close', () => {
      signal.removeEventListener('abort', abort);
      clearTimeout(this.#timer);
      this.#reject(this.#failure());
      context.onClose();
    });
    this.#awaitAnswer();
    if (body !== undefined) this.#send(body);
  }

  #send(body: Readable | Uint8Array): void {
    if (this.#request.onBodyTaken !== undefined) this.#stream.once('finish', () => this.#confirmBody());
    if (body instanceof Uint8Array) {
      this.#stream.end(body);
      return;
    }
    this.#pump(body);
  }

  /**
   * `pipeline` would destroy the stream, and with it the answer, where the helper answers without reading all of the body: Node calls
   * such a stream aborted, however well it ended.
   */
  #pump(body: Readable): void {
    const leaveRest = (): void => {
      body.unpipe(this.#stream);
      body.destroy();
    };
    this.#stream.once('aborted', leaveRest).once('close', leaveRest);
    body.once('error', (error: Error) => this.#fail(error));
    body.once('close', () => {
      if (!body.readableEnded && !this.#stream.aborted && !this.#stream.closed)
        this.#fail(body.errored ?? new Error('The input broke off.'));
    });
    body.pipe(this.#stream);
  }

  /**
   * A ping is answered after everything that was sent before it has been received. The stream's end may be sent together with the
   * first ping, behind it; the second one is certainly behind both.
   */
  #confirmBody(): void {
    const ping = (): Promise<void> => this.#context.ping(this.#answerWithinMs);
    ping()
      .then(ping)
      .then(this.#request.onBodyTaken, () => undefined);
  }

  #answered(answer: ResponseHeaders): void {
    clearTimeout(this.#timer);
    this.#body = new ResponseBody(this.#stream, {
      reset: () => this.#reset.abort(),
      failure: () => this.#failure(),
      failed: () => this.#error !== undefined || this.#context.lost() !== undefined,
    });
    this.#resolve({ status: answer[':status'] ?? 0, headers: plainHeaders(answer), body: this.#body });
  }

  #awaitAnswer(): void {
    const pingAfter = this.#answerWithinMs * PING_AFTER;
    this.#timer = setTimeout(() => {
      if (!this.#othersTurn()) return this.#awaitAnswer();
      this.#pinged = 'waiting';
      this.#context.ping(this.#answerWithinMs).then(
        () => (this.#pinged = 'answered'),
        () => undefined,
      );
      this.#timer = setTimeout(() => this.#unanswered(), this.#answerWithinMs - pingAfter);
    }, pingAfter);
  }

  /** An upload is answered after its end: as long as this side has nothing to send, nobody is late. */
  #othersTurn(): boolean {
    return this.#request.answersAfterBody !== true || this.#stream.writableFinished || this.#stream.writableNeedDrain;
  }

  #unanswered(): void {
    const time = `${String(this.#answerWithinMs / 1000)} s`;
    if (this.#pinged === 'answered') return this.#fail(protocolError(`The helper did not answer within ${time}.`));
    this.#context.lose(connectionLost(`The connection to the helper is silent for ${time}.`));
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#reset.abort();
    this.#reject(this.#error);
    this.#body?.destroy(this.#error);
  }

  /** An answer that ends for no known reason was ended by the helper. */
  #failure(cause?: unknown): Error {
    const { body } = this.#request;
    const input = body === undefined || body instanceof Uint8Array ? null : body.errored;
    return this.#error ?? this.#context.lost() ?? input ?? protocolError('The helper broke off its answer.', cause);
  }
}

/** The whole session failed, or Node has reset a stream whose headers are too many or too long: nothing that a helper does. */
function brokeHttp2(error: Error, stream: ClientHttp2Stream): boolean {
  return ('code' in error && error.code === 'ERR_HTTP2_ERROR') || stream.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM;
}

function plainHeaders(answer: ResponseHeaders): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer)) {
    if (typeof value === 'string' && !name.startsWith(':')) headers[name] = value;
  }
  return headers;
}
