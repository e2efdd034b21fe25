/**
 * The bytes of a body until a signal aborts, also where the body has stalled and would never ask.
 *
 * @module
 */
import type { BlobBody } from './port.ts';

/** Throws the signal's reason when it aborts; the source is then told to end, and not waited for. */
export async function* abortable(body: BlobBody, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  signal?.throwIfAborted();
  if (body instanceof Uint8Array) {
    yield body;
    return;
  }
  const source = body[Symbol.asyncIterator]();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  // Without a listener of its own, an abort between two reads would count as unhandled.
  aborted.catch(() => undefined);
  const onAbort = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  let ended = false;
  try {
    for (;;) {
      const next = await Promise.race([source.next(), aborted]);
      if (next.done === true) {
        ended = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal?.removeEventListener('abort', onAbort);
    if (!ended) void source.return?.().catch(() => undefined);
  }
}
