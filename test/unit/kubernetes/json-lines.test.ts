import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseJsonLines } from '../../../shared/kubernetes/json-lines.ts';

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

async function collect(lines: AsyncIterable<unknown>): Promise<unknown[]> {
  const values: unknown[] = [];
  for await (const line of lines) values.push(line);
  return values;
}

async function all(bytes: Uint8Array, size: number, limit = 1_000_000): Promise<unknown[]> {
  return collect(parseJsonLines(chunksOf(bytes, size), limit));
}

test('lines come out whole wherever the chunks are cut, within a character too', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ text: fc.string({ unit: 'grapheme' }) }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 9 }),
      async (values, size) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
        expect(await all(bytes, size)).toEqual(values);
      },
    ),
    { numRuns: 50 },
  );
});

test('empty lines are no values, and a line without its end was cut', async () => {
  expect(await all(Buffer.from('1\n\r\n\n2\n{"cut":'), 3)).toEqual([1, 2]);
});

test('a line that never ends is given up before it fills the memory', async () => {
  let produced = 0;
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      produced += 1_000;
      yield Buffer.alloc(1_000, 'x');
    }
  };
  await expect(collect(parseJsonLines(endless(), 10_000))).rejects.toThrow(RangeError);
  expect(produced).toBeLessThan(20_000);
});

test('garbage is an error', async () => {
  await expect(all(Buffer.from('<html>\n'), 100)).rejects.toThrow(SyntaxError);
});
