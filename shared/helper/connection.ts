/**
 * HTTP/2 over whatever stream leads to the helper (RFC 9113, prior knowledge).
 *
 * The other side may be a program that imitates the helper. Whatever it sends, memory stays bounded, nothing is thrown outside a
 * request, and what breaks the protocol ends the connection with `helper_protocol_error`.
 *
 * @module
 */
import { connect, type ClientHttp2Session, type ClientSessionOptions, type Settings } from 'node:http2';
import type { Duplex } from 'node:stream';
import { AppError } from '../errors/app-error.ts';
import { exchange, type ExchangeContext } from './connection-exchange.ts';
import { Slots } from './connection-slots.ts';
import { connectionLost, protocolError } from './errors.ts';
import type { ChannelKind } from './model.ts';
import type { HelperRequest, HelperResponse } from './port.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const MOST_STREAMS = 250;
/**
 * Of each stream; a connection's is sixteen of them. Node's default of 64 KiB halves the throughput (measured, design §8). Where the
 * bytes go through the API server, each window that is handed back is a message through the whole chain: 1 MiB gives 0.70 of the rate
 * of a raw exec stream, 2 MiB 0.78, 4 MiB 0.86.
 */
const streamWindows: Readonly<Record<ChannelKind, number>> = { direct: MIB, exec: 4 * MIB, 'port-forward': 4 * MIB };
const STREAMS_PER_CONNECTION_WINDOW = 16;

const sessionOptions: ClientSessionOptions = {
  peerMaxConcurrentStreams: MOST_STREAMS,
  // Megabytes; what Node itself holds for the session, besides the bodies' windows.
  maxSessionMemory: 64,
  maxHeaderListPairs: 64,
  maxReservedRemoteStreams: 1,
  maxSettings: 32,
};

export interface ConnectionOptions {
  readonly kind: ChannelKind;
  /** Called once, whichever side ends the connection. */
  readonly onClose?: (reason: AppError) => void;
  /** For tests. Milliseconds; 10 s from PROTOCOL.md. */
  readonly answerWithinMs?: number;
  /** Milliseconds between pings while requests are open; a ping that is not answered until the next one ends the connection. */
  readonly keepAliveMs?: number;
}

export interface Connection {
  readonly kind: ChannelKind;
  readonly closed: boolean;
  /** Requests that are open or wait for a place. */
  readonly openRequests: number;
  /** Throws `AppError`, or the signal's reason. */
  request(request: HelperRequest): Promise<HelperResponse>;
  ping(timeoutMs: number): Promise<void>;
  close(): void;
}

/** Owns the stream from here on. */
export function openConnection(stream: Duplex, options: ConnectionOptions): Connection {
  return new HelperConnection(stream, options);
}

class HelperConnection implements Connection {
  readonly kind: ChannelKind;
  readonly #stream: Duplex;
  readonly #session: ClientHttp2Session;
  readonly #slots = new Slots(MOST_STREAMS);
  readonly #options: ConnectionOptions;
  #pinging: Promise<void> | undefined;
  #nextPing: Promise<void> | undefined;
  readonly #keepAlive: NodeJS.Timeout;
  #openRequests = 0;
  #leaving = false;
  #lost: AppError | undefined;

  constructor(stream: Duplex, options: ConnectionOptions) {
    this.kind = options.kind;
    this.#options = options;
    this.#stream = stream;
    // Before Node's own listeners, so that the requests learn of a lost connection by our error.
    const gone = (cause?: Error): void => this.#lose(connectionLost('The connection to the helper was lost.', cause));
    stream.on('close', gone);
    stream.on('end', gone);
    stream.on('error', gone);
    const settings = {
      initialWindowSize: streamWindows[options.kind],
      maxFrameSize: 64 * KIB,
      enablePush: false,
      maxHeaderListSize: 16 * KIB,
    };
    this.#session = connect('http://helper', { ...sessionOptions, settings, createConnection: () => stream });
    this.#listen(this.#session);
    const keepAliveMs = options.keepAliveMs ?? 15_000;
    this.#keepAlive = setInterval(() => {
      if (this.#openRequests > 0) this.ping(keepAliveMs).catch((error: unknown) => this.#lose(toLoss(error)));
    }, keepAliveMs);
    this.#keepAlive.unref();
  }

  #listen(session: ClientHttp2Session): void {
    // What answers at once with something else than HTTP/2 has ended the session before Node says that it is connected.
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(STREAMS_PER_CONNECTION_WINDOW * streamWindows[this.kind]);
    });
    session.on('remoteSettings', (settings: Settings) => {
      const limit = settings.maxConcurrentStreams ?? MOST_STREAMS;
      this.#slots.setLimit(Math.max(1, Math.min(MOST_STREAMS, limit)));
    });
    session.on('error', (error) => this.#lose(toLoss(error)));
    session.on('frameError', () => this.#lose(protocolError('The helper broke HTTP/2.')));
    session.on('stream', () => this.#lose(protocolError('The helper pushed what nobody asked for.')));
    session.on('goaway', () => (this.#leaving = true));
    session.on('close', () => this.#lose(connectionLost('The helper closed the connection.')));
  }

  get closed(): boolean {
    return this.#leaving || this.#lost !== undefined || this.#session.closed;
  }

  get openRequests(): number {
    return this.#openRequests;
  }

  async request(request: HelperRequest): Promise<HelperResponse> {
    this.#openRequests += 1;
    let release: (() => void) | undefined;
    let open = true;
    const finish = (): void => {
      if (!open) return;
      open = false;
      this.#openRequests -= 1;
      release?.();
    };
    try {
      release = await this.#slots.take(request.signal);
      if (this.closed) throw this.#lost ?? connectionLost('The helper is closing the connection.');
      return await this.#exchange(request, finish);
    } catch (error) {
      finish();
      if (request.body !== undefined && !(request.body instanceof Uint8Array)) request.body.destroy();
      throw error;
    }
  }

  #exchange(request: HelperRequest, onClose: () => void): Promise<HelperResponse> {
    const context: ExchangeContext = {
      answerWithinMs: this.#options.answerWithinMs ?? 10_000,
      lost: () => this.#lost,
      ping: (timeoutMs) => this.ping(timeoutMs),
      lose: (error) => this.#lose(error),
      onClose,
    };
    try {
      return exchange(this.#session, request, context);
    } catch (error) {
      // The session has begun to close, and nothing was sent.
      if (this.closed || this.#session.destroyed) throw connectionLost('The helper is closing the connection.', error);
      throw error;
    }
  }

  async ping(timeoutMs: number): Promise<void> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(connectionLost('The helper does not answer pings.')), timeoutMs);
    try {
      await Promise.race([this.#sharedPing(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Node allows ten pings on the way and refuses the eleventh, however healthy the other side is. So there is one, and those who come
   * meanwhile share the next: the one on the way says nothing about what was sent after it.
   */
  #sharedPing(): Promise<void> {
    if (this.#pinging === undefined) {
      this.#pinging = this.#sendPing().finally(() => (this.#pinging = undefined));
      return this.#pinging;
    }
    this.#nextPing ??= this.#pinging
      .catch(() => undefined)
      .then(() => {
        this.#nextPing = undefined;
        return this.#sharedPing();
      });
    return this.#nextPing;
  }

  #sendPing(): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (error: Error | null): void => {
        if (error === null) resolve();
        else reject(this.#lost ?? connectionLost('The connection to the helper was lost.', error));
      };
      if (this.#lost !== undefined || this.#session.destroyed) return settle(new Error('closed'));
      if (!this.#session.ping(settle)) settle(new Error('too many pings are unanswered'));
    });
  }

  close(): void {
    this.#lose(connectionLost('The connection to the helper was closed on this side.'));
  }

  #lose(reason: AppError): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    clearInterval(this.#keepAlive);
    this.#slots.close(reason);
    this.#session.destroy();
    this.#stream.destroy();
    this.#options.onClose?.(reason);
  }
}

/** What ended the session: the bytes under it failed, or what they said is no HTTP/2. */
function toLoss(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('ERR_HTTP2') && code !== 'ERR_HTTP2_SESSION_ERROR') return protocolError('The helper broke HTTP/2.', error);
  return connectionLost('The connection to the helper was lost.', error);
}
