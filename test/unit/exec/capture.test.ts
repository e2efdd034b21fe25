import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { describe, expect, it } from 'vitest';
import { Capture } from '../../../shared/exec/capture.ts';

async function capture(chunks: readonly Buffer[], keepBytes: number, readBytes = 1000) {
  const stream = new PassThrough();
  let floods = 0;
  const captured = new Capture(stream, { keepBytes, readBytes }, () => (floods += 1));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await finished(stream);
  return { ...captured.result(), floods };
}

describe('Capture', () => {
  it('keeps everything within the bound', async () => {
    expect(await capture([Buffer.from('grü'), Buffer.from('ße')], 100)).toEqual({ text: 'grüße', truncated: false, floods: 0 });
  });

  it('puts a character together that came in two chunks', async () => {
    const bytes = Buffer.from('a€b');
    expect(await capture([bytes.subarray(0, 2), bytes.subarray(2)], 100)).toMatchObject({ text: 'a€b' });
  });

  for (const character of ['é', '€', '😀']) {
    it(`leaves out a ${character} that the cut goes through, and keeps one that just fits`, async () => {
      const size = Buffer.byteLength(character);
      const bytes = Buffer.from(`ab${character}cd`);
      for (let cut = 2; cut < 2 + size; cut += 1) expect(await capture([bytes], cut)).toMatchObject({ text: 'ab', truncated: true });
      expect(await capture([bytes], 2 + size)).toMatchObject({ text: `ab${character}`, truncated: true });
    });
  }

  it('shows bytes that are no UTF-8 as replacement characters', async () => {
    expect(await capture([Buffer.from([0x61, 0xff, 0x62])], 100)).toMatchObject({ text: 'a\ufffdb' });
  });

  it('reads on past what it keeps, and calls once when it has read too much', async () => {
    const chunks = Array.from({ length: 20 }, () => Buffer.alloc(100, 'x'));
    expect(await capture(chunks, 150, 2000)).toMatchObject({ truncated: true, floods: 0 });
    expect(await capture(chunks, 150, 1000)).toMatchObject({ text: 'x'.repeat(150), floods: 1 });
  });
});
