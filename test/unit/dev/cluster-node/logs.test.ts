import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LogFile, logFiles } from '../../../../dev/cluster/node/logs/log-file.ts';
import { readLog } from '../../../../dev/cluster/node/logs/read-log.ts';

const NEVER = new AbortController().signal;

describe('a log', () => {
  let folder: string;
  let log: LogFile;
  let now: Date;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'berth-log-'));
    now = new Date();
    log = new LogFile(join(folder, '0.log'), () => now);
  });
  afterEach(() => {
    log.close();
    rmSync(folder, { recursive: true });
  });

  const read = (options: object = {}): Promise<string> =>
    text(Readable.from(readLog(log.path, log, { follow: false, previous: false, timestamps: false, signal: NEVER, ...options })));
  const write = (...chunks: string[]): Promise<void> => log.collect('stdout', Readable.from(chunks.map((chunk) => Buffer.from(chunk))));

  test('gives back what was written, however it was cut', async () => {
    await write('a', 'b\nc', '\n\nlast');
    expect(await read()).toBe('ab\nc\n\nlast');
    expect(await read({ tailLines: 2 })).toBe('\nlast');
    expect(await read({ tailLines: 0 })).toBe('');
    expect(await read({ tailLines: 99 })).toBe('ab\nc\n\nlast');
    expect(await read({ limitBytes: 4 })).toBe('ab\nc');
  });

  test('joins the parts of a very long line', async () => {
    const line = 'x'.repeat(100_000);
    await write(line, `${line}\nend\n`);
    expect(await read()).toBe(`${line}${line}\nend\n`);
    expect(await read({ tailLines: 1 })).toBe('end\n');
  });

  test('leaves bytes that are no text as they are', async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x0d, 0x0a, 0xfe]);
    await log.collect('stderr', Readable.from([bytes]));
    const chunks: Uint8Array[] = [];
    for await (const chunk of readLog(log.path, log, { follow: false, previous: false, timestamps: false, signal: NEVER }))
      chunks.push(chunk);
    expect(Buffer.concat(chunks)).toEqual(bytes);
  });

  test('knows when each line was written', async () => {
    now = new Date(Date.now() - 60_000);
    await write('old\n');
    now = new Date();
    await write('new\n');
    expect(await read({ sinceSeconds: 30 })).toBe('new\n');
    expect(await read({ sinceSeconds: 90 })).toBe('old\nnew\n');
    expect(await read({ timestamps: true, tailLines: 1 })).toBe(`${now.toISOString().replace('Z', '000000Z')} new\n`);
  });

  test('is followed until its end, over a rotation, without a loss', async () => {
    const lines = Array.from({ length: 300_000 }, (_, index) => `line ${index}\n`);
    const following = read({ follow: true });
    await log.collect('stdout', Readable.from(chunked(lines.join(''), 65_536)));
    log.close();
    expect((await following) === lines.join('')).toBe(true);
    expect(logFiles(log.path)).toHaveLength(2);
    for (const file of logFiles(log.path)) expect(statSync(file).size).toBeLessThanOrEqual(10 * 1024 * 1024);
  });

  test('stops being followed when nobody reads any more', async () => {
    await write('one\n');
    const abort = new AbortController();
    const reading = read({ follow: true, signal: abort.signal });
    abort.abort();
    expect(await reading).toMatch(/^(one\n)?$/);
  });
});

function chunked(content: string, size: number): Buffer[] {
  const bytes = Buffer.from(content);
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
}
