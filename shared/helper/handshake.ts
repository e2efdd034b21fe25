/**
 * How both ends of a TCP connection to a helper prove that they know the pod's secret, before any byte of HTTP/2.
 *
 * @module
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { startDeadline } from '../deadline.ts';
import { AppError } from '../errors/app-error.ts';

export const HANDSHAKE_TIMEOUT_MS = 5_000;
const PROOF_BYTES = 32;
/** RFC 9266: what is exported under this label belongs to this one TLS connection, so a proof is of no use on another. */
const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';

/**
 * TLS 1.3 over `stream`, then the exchange of `helper/PROTOCOL.md`. Answers a stream on which no byte after the helper's proof has been
 * read. Takes over `stream`: it is destroyed where this fails.
 *
 * Throws `AppError` `helper_protocol_error` for garbage or a wrong proof, `helper_unreachable` where the other side closes (which is how
 * a helper refuses our proof) or takes longer than 5 s; `signal`'s reason where that aborts.
 */
export async function proveAndVerify(
  stream: Duplex,
  secret: Uint8Array,
  signal: AbortSignal,
  timeoutMs = HANDSHAKE_TIMEOUT_MS,
): Promise<Duplex> {
  const abandon = (): void => void stream.destroy();
  using deadline = startDeadline(timeoutMs, signal);
  let tls: TLSSocket | undefined;
  try {
    deadline.signal.throwIfAborted();
    tls = startTls(stream);
    await raceAbort(secured(tls), deadline.signal);
    const material = tls.exportKeyingMaterial(PROOF_BYTES, EXPORTER_LABEL, Buffer.alloc(0));
    const written = write(tls, proof(secret, 'berth-client-v1', material));
    const [answer] = await raceAbort(Promise.all([readExactly(tls, PROOF_BYTES), written]), deadline.signal);
    if (!timingSafeEqual(answer, proof(secret, 'berth-server-v1', material))) {
      throw new AppError('helper_protocol_error', "What answers in the session's pod does not know the pod's secret.");
    }
    return tls;
  } catch (error) {
    tls?.destroy();
    abandon();
    signal.throwIfAborted();
    throw translate(error);
  }
}

function startTls(stream: Duplex): TLSSocket {
  const tls = connect({
    socket: stream,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // The helper makes its certificate at each start and nobody signs it. What proves the other end is the secret, in a message that is
    // bound to the keys of this very connection: who sits between two connections cannot hand it on.
    rejectUnauthorized: false,
  });
  // Without a listener, an error after the handshake would end the process before anybody could attend to it. Node hands an error
  // of the stream on to the TLS socket, but does not close the one with the other.
  tls.on('error', () => undefined);
  stream.on('error', () => undefined);
  tls.on('close', () => stream.destroy());
  return tls;
}

function secured(tls: TLSSocket): Promise<void> {
  return settle(tls, (resolve, reject) => {
    const ready = (): void => {
      if (tls.alpnProtocol === 'h2') resolve();
      else reject(new AppError('helper_protocol_error', "What answers in the session's pod does not speak HTTP/2."));
    };
    tls.once('secureConnect', ready);
    return () => tls.off('secureConnect', ready);
  });
}

/** To its end: `node:http2` writes past the stream, and Node 24 aborts the process where a write of the stream's own is still under way. */
function write(tls: TLSSocket, bytes: Buffer): Promise<void> {
  return settle(tls, (resolve, reject) => {
    tls.write(bytes, (error) => (error ? reject(error) : resolve()));
    return () => undefined;
  });
}

/** `read(size)` takes no more than that; what came in the same packet stays in the stream. */
function readExactly(tls: TLSSocket, size: number): Promise<Buffer> {
  return settle(tls, (resolve, reject) => {
    const take = (): void => {
      const bytes = tls.read(size) as Buffer | null;
      if (bytes?.length === size) resolve(bytes);
      // At its end, a stream gives the few bytes that are left.
      else if (bytes !== null) reject(closed());
    };
    tls.on('readable', take);
    take();
    return () => tls.off('readable', take);
  });
}

/** Also rejects where the connection fails or ends before `work` has settled. */
function settle<T>(tls: TLSSocket, work: (resolve: (value: T) => void, reject: (reason: unknown) => void) => () => void): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const end = (): void => reject(closed());
  tls.on('error', reject).on('end', end).on('close', end);
  const stop = tls.destroyed ? () => end() : work(resolve, reject);
  return promise.finally(() => {
    stop();
    tls.off('error', reject).off('end', end).off('close', end);
  });
}

function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort));
}

function proof(secret: Uint8Array, label: string, material: Buffer): Buffer {
  return createHmac('sha256', secret).update(label).update(material).digest();
}

function closed(): AppError {
  return new AppError('helper_unreachable', "The session's pod closed the connection before it had proved itself.");
}

function translate(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new AppError('helper_unreachable', "The helper in the session's pod did not prove itself in time.", { cause: error });
  }
  // OpenSSL's own codes: what arrived is no TLS 1.3, or breaks it.
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) {
    return new AppError('helper_protocol_error', "What answers in the session's pod does not speak TLS 1.3 as the helper does.", {
      cause: error,
    });
  }
  return new AppError('helper_unreachable', "The connection to the helper in the session's pod failed.", { cause: error });
}
