import { createHash } from 'node:crypto';
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHelperBinaries } from '../../../shared/helper/binaries.ts';

const program = Buffer.from('a program '.repeat(1_000));
const sha256 = createHash('sha256').update(program).digest('hex');

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'berth-binaries-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function build(file: string, packed: Uint8Array, size = program.length): Promise<void> {
  await writeFile(join(directory, file), packed);
  const manifest = { version: '1', binaries: { 'linux-x64': { file, size, sha256 } } };
  await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
}

describe("the helper's programs", () => {
  test.each([
    ['brotli', 'helper-linux-x64.br', brotliCompressSync(program)],
    ['zstd', 'helper-linux-x64.zst', zstdCompressSync(program)],
  ])('are unpacked from %s', async (_how, file, packed) => {
    await build(file, packed);
    const { bytes, ...rest } = await createHelperBinaries(directory).read('linux-x64');
    expect(Buffer.from(bytes).equals(program)).toBe(true);
    expect(rest).toEqual({ sha256 });
  });

  test('are read once, also by many at once', async () => {
    await build('helper.br', brotliCompressSync(program));
    const binaries = createHelperBinaries(directory);
    const [first, second] = await Promise.all([binaries.read('linux-x64'), binaries.read('linux-x64')]);
    await unlink(join(directory, 'helper.br'));
    expect(second).toBe(first);
    expect(await binaries.read('linux-x64')).toBe(first);
  });

  test('are looked for again where they were not there', async () => {
    const binaries = createHelperBinaries(directory);
    await expect(binaries.read('linux-x64')).rejects.toThrow('manifest.json');
    await build('helper.br', brotliCompressSync(program));
    expect((await binaries.read('linux-x64')).sha256).toBe(sha256);
  });

  test('are built or not, by platform', async () => {
    await build('helper.br', brotliCompressSync(program));
    await expect(createHelperBinaries(directory).read('linux-arm64')).rejects.toThrow('no helper for linux-arm64');
  });

  test('are not used where they are other bytes than the manifest says', async () => {
    const other = Buffer.from(program);
    other.write('B', 5);
    await build('helper.br', brotliCompressSync(other));
    await expect(createHelperBinaries(directory).read('linux-x64')).rejects.toThrow('is not what the manifest says');
  });

  test.each([
    ['more', -1, /larger than/],
    ['less', 1, /holds 10000 bytes/],
  ])('are not used where they hold %s than the manifest says', async (_what, difference, words) => {
    await build('helper.br', brotliCompressSync(program), program.length + difference);
    await expect(createHelperBinaries(directory).read('linux-x64')).rejects.toThrow(words);
  });

  test('lie in their own folder and nowhere else', async () => {
    const entry = { file: '../helper.br', size: program.length, sha256 };
    await writeFile(join(directory, 'manifest.json'), JSON.stringify({ version: '1', binaries: { 'linux-x64': entry } }));
    await expect(createHelperBinaries(directory).read('linux-x64')).rejects.toThrow(/file/);
  });
});
