import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { Capture } from '../../../shared/exec/capture.ts';

function capture(chunks: readonly Buffer[], keepBytes: number) {
  const captured = new Capture(keepBytes);
  for (const chunk of chunks) captured.take(chunk);
  return captured.result();
}

describe('Capture', () => {
  it('keeps everything within the bound', () => {
    expect(capture([Buffer.from('grü'), Buffer.from('ße')], 100)).toEqual({ text: 'grüße', truncated: false });
  });

  it('puts a character together that came in two chunks', () => {
    const bytes = Buffer.from('a€b');
    expect(capture([bytes.subarray(0, 2), bytes.subarray(2)], 100)).toMatchObject({ text: 'a€b' });
  });

  for (const character of ['é', '€', '😀']) {
    it(`leaves out a ${character} that the cut goes through, and keeps one that just fits`, () => {
      const size = Buffer.byteLength(character);
      const bytes = Buffer.from(`ab${character}cd`);
      for (let cut = 2; cut < 2 + size; cut += 1) expect(capture([bytes], cut)).toMatchObject({ text: 'ab', truncated: true });
      expect(capture([bytes], 2 + size)).toMatchObject({ text: `ab${character}`, truncated: true });
    });
  }

  it('shows bytes that are no UTF-8 as replacement characters', () => {
    expect(capture([Buffer.from([0x61, 0xff, 0x62])], 100)).toMatchObject({ text: 'a\ufffdb' });
  });

  it('does not hold on to the buffers that its parts came in', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const captured = new Capture(100_000);
    collect();
    const before = process.memoryUsage().arrayBuffers;
    for (let parts = 0; parts < 2_000; parts += 1) captured.take(Buffer.alloc(65_536, 'x').subarray(0, 1));
    collect();
    // Held on to, they would be 125 MiB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 2 ** 20);
    expect(captured.result().text).toBe('x'.repeat(2_000));
  });

  it('keeps every byte of many parts of all sizes, in order', () => {
    const bytes = Buffer.from(Array.from({ length: 700_000 }, (_, index) => 97 + (index % 26)));
    const parts: Buffer[] = [];
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 7) % 65_537) parts.push(bytes.subarray(at, at + size));
    expect(capture(parts, 650_001)).toEqual({ text: bytes.toString().slice(0, 650_001), truncated: true });
  });

  it('counts what it does not keep', () => {
    const chunks = Array.from({ length: 20 }, () => Buffer.alloc(100, 'x'));
    expect(capture(chunks, 150)).toEqual({ text: 'x'.repeat(150), truncated: true });
  });
});
