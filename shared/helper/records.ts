/**
 * A record stream: `type (1 byte) | length (4 bytes, big-endian) | payload` (helper/PROTOCOL.md).
 *
 * @module
 */
import type { Readable } from 'node:stream';
import type { z } from 'zod';
import { connectionLost, parseJson, protocolError } from './errors.ts';

const HEADER_BYTES = 5;
const LONGEST_PAYLOAD = 65_536;
const recordTypes = { stdout: 1, stderr: 2, event: 3 } as const;
/** How long the stream may stay open after its last record. */
const CLOSE_WITHIN_MS = 1_000;

export interface OutputPart {
  readonly type: 'stdout' | 'stderr';
  /** Never empty. Where one record ends and the next begins means nothing: a part is what has arrived of one. */
  readonly bytes: Buffer;
}

export type StreamRecord<E> = OutputPart | { readonly type: 'event'; readonly event: E };

/**
 * The records of a body, as they come and without copying output. Ends after the event `end`. Leaving the loop early destroys the body.
 * Throws `AppError`: `helper_protocol_error` for what is no record stream, `helper_connection_lost` where it ends before `end`, and
 * what the body fails with.
 */
export async function* readRecords<E extends { readonly event: string }>(
  body: Readable,
  schema: z.ZodType<E>,
): AsyncGenerator<StreamRecord<E>, void, undefined> {
  const parser = new RecordParser(schema);
  let ended = false;
  try {
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      for (const record of parser.parse(chunk)) {
        ended = record.type === 'event' && record.event.event === 'end';
        yield record;
        if (ended) return;
      }
    }
    throw connectionLost('The stream was cut before its end.');
  } finally {
    if (ended) closeSoon(body);
    else body.destroy();
  }
}

/** Lets the other side end the stream by itself, which spares both a reset. */
function closeSoon(body: Readable): void {
  const timer = setTimeout(() => body.destroy(), CLOSE_WITHIN_MS);
  body.once('end', () => clearTimeout(timer));
  body.once('close', () => clearTimeout(timer));
  body.on('error', () => undefined);
  body.on('data', () => body.destroy());
  body.resume();
}

class RecordParser<E> {
  readonly #schema: z.ZodType<E>;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #type = 0;
  #left = 0;
  /** Of an event that came in several chunks. */
  #parts: Buffer[] = [];

  constructor(schema: z.ZodType<E>) {
    this.#schema = schema;
  }

  *parse(chunk: Buffer): Generator<StreamRecord<E>, void, undefined> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerBytes < HEADER_BYTES) {
        at += this.#readHeader(chunk, at);
        if (this.#headerBytes < HEADER_BYTES) return;
      }
      const part = chunk.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      const record = this.#take(part);
      if (this.#left === 0) this.#headerBytes = 0;
      if (record !== undefined) yield record;
    }
  }

  /** Answers how many bytes it took. */
  #readHeader(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#header, this.#headerBytes, at, at + HEADER_BYTES - this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes === HEADER_BYTES) {
      this.#type = this.#header.readUInt8(0);
      this.#left = this.#header.readUInt32BE(1);
      if (this.#type < recordTypes.stdout || this.#type > recordTypes.event)
        throw protocolError('The helper sent a record of unknown type.');
      if (this.#left > LONGEST_PAYLOAD) throw protocolError('The helper sent a record that is too long.');
    }
    return taken;
  }

  #take(part: Buffer): StreamRecord<E> | undefined {
    if (this.#type === recordTypes.event) return this.#takeEvent(part);
    if (part.length === 0) return undefined;
    return { type: this.#type === recordTypes.stdout ? 'stdout' : 'stderr', bytes: part };
  }

  #takeEvent(part: Buffer): StreamRecord<E> | undefined {
    this.#parts.push(part);
    if (this.#left > 0) return undefined;
    const text = Buffer.concat(this.#parts).toString();
    this.#parts = [];
    const parsed = this.#schema.safeParse(parseJson(text));
    if (!parsed.success) throw protocolError('The helper sent an event that is none.', parsed.error);
    return { type: 'event', event: parsed.data };
  }
}
