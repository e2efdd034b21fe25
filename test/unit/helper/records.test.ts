import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readRecords } from '../../../shared/helper/records.ts';
import { event, record } from '../../fakes/fake-helper.ts';

const schema = z.object({ event: z.string(), n: z.number().optional() });
const end = event({ event: 'end' });

interface Seen {
  readonly out: string;
  readonly error: string | undefined;
}

/** Neighbouring parts of one stream as one: where a part begins means nothing. */
async function read(chunks: readonly Buffer[]): Promise<Seen> {
  let out = '';
  let last = '';
  try {
    for await (const each of readRecords(Readable.from(chunks, { objectMode: true }), schema)) {
      if (each.type !== last && each.type !== 'event') out += `${each.type} `;
      last = each.type;
      out += each.type === 'event' ? `${JSON.stringify(each.event)}\n` : each.bytes.toString('hex');
    }
  } catch (error) {
    return { out, error: String((error as { code?: unknown }).code) };
  }
  return { out, error: undefined };
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const points = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((one, other) => one - other), bytes.length];
  return points.slice(1).map((point, index) => bytes.subarray(points[index], point));
}

const anyRecord = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => record(1, Buffer.from(bytes))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => record(2, Buffer.from(bytes))),
  fc.nat().map((n) => event({ event: 'x', n })),
);

describe('readRecords', () => {
  it('reads the same records however the stream is split', async () => {
    const property = fc.asyncProperty(
      fc.array(anyRecord, { maxLength: 20 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      async (records, cuts) => {
        const bytes = Buffer.concat([...records, end]);
        const whole = await read([bytes]);
        expect(whole.error).toBeUndefined();
        expect(await read(split(bytes, cuts))).toEqual(whole);
        expect(await read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
      },
    );
    await fc.assert(property, { numRuns: 100 });
  });

  it('gives every byte of output once, and events where they stood', async () => {
    const bytes = Buffer.concat([event({ event: 'started', n: 1 }), record(1, 'ab'), record(1, ''), record(2, 'c'), record(1, 'd'), end]);
    expect(await read([bytes])).toEqual({
      out: '{"event":"started","n":1}\nstdout 6162stderr 63stdout 64{"event":"end"}\n',
      error: undefined,
    });
  });

  it('calls a stream that stops before its end cut, at whatever byte', async () => {
    const bytes = Buffer.concat([record(1, 'hello'), event({ event: 'x' }), end]);
    for (let length = 0; length < bytes.length; length += 1) {
      expect((await read([bytes.subarray(0, length)])).error).toBe('helper_connection_lost');
    }
  });

  it('refuses types it does not know, records that are too long, and events that are none', async () => {
    const tooLong = Buffer.from([1, 0, 1, 0, 1]);
    const wrong = [
      record(3, '{'),
      record(3, ''),
      record(3, '[]'),
      record(3, '{"event":1}'),
      tooLong,
      Buffer.from([0, 0, 0, 0, 0]),
      Buffer.from([4, 0, 0, 0, 0]),
    ];
    for (const bytes of wrong) expect((await read([bytes, end])).error).toBe('helper_protocol_error');
    expect((await read([record(1, Buffer.alloc(65_536)), end])).error).toBeUndefined();
  });

  it('ends garbage with an error and never with silence', async () => {
    const property = fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 500 }), async (bytes) => {
      const { error } = await read([Buffer.from(bytes)]);
      expect(['helper_protocol_error', 'helper_connection_lost']).toContain(error);
    });
    await fc.assert(property, { numRuns: 300 });
  });

  it('leaves nothing open when the reader leaves early', async () => {
    const body = new Readable({ read: () => undefined });
    body.push(record(1, 'x'));
    for await (const _ of readRecords(body, schema)) break;
    expect(body.destroyed).toBe(true);
  });

  it('closes a stream that goes on after its end', async () => {
    const body = new Readable({ read: () => undefined });
    body.push(Buffer.concat([end, record(1, 'more')]));
    for await (const _ of readRecords(body, schema));
    await expect.poll(() => body.destroyed, { timeout: 5_000 }).toBe(true);
  });
});
