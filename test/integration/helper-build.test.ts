import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync, brotliDecompressSync, constants, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileProgram, verify } from '../../dev/helper-build.ts';
import { hasGo, requireToolchain } from '../../dev/helper/go.ts';
import { pack } from '../../dev/helper/pack.ts';
import { createHelperBinaries, helperManifestSchema, helperPlatforms } from '../../shared/helper/binaries.ts';

const SOURCE = join(import.meta.dirname, '../../helper');

/** Go without its cache compiles its own standard library first. */
const COLD = 180_000;

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'berth-build-test-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('the committed helper', () => {
  test.each(helperPlatforms)('for %s is what its manifest says, and at most 2.5 MB packed', async (platform) => {
    const manifest = helperManifestSchema.parse(JSON.parse(await readFile(join(SOURCE, 'dist/manifest.json'), 'utf8')));
    const { bytes, sha256: said } = await createHelperBinaries().read(platform);
    const packed = await readFile(join(SOURCE, 'dist', manifest.binaries[platform]?.file ?? ''));
    expect(sha256(bytes)).toBe(said);
    expect(packed.length).toBeLessThanOrEqual(2_500_000);
    const magic = platform.startsWith('darwin') ? 'cffaedfe' : '7f454c46';
    expect(Buffer.from(bytes).toString('hex', 0, 4)).toBe(magic);
  });
});

test('a packed program is unpacked without settings', async () => {
  const program = Buffer.from('the same few words '.repeat(2_000));
  const { bytes, ending } = await pack(program);
  const unpacked = ending === 'br' ? brotliDecompressSync(bytes) : zstdDecompressSync(bytes);
  expect(unpacked.equals(program)).toBe(true);
  expect(bytes.length).toBeLessThan(100);
});

describe.skipIf(!hasGo())('the build of the helper (needs go on PATH)', () => {
  const here = (): string => join(scratch, 'here');
  const elsewhere = (): string => join(scratch, 'a folder', 'elsewhere');
  beforeAll(async () => {
    await cp(SOURCE, here(), { recursive: true });
    await cp(here(), elsewhere(), { recursive: true });
  });

  test('gives the same bytes from another folder', { timeout: COLD }, async () => {
    const one = await compileProgram(here(), 'linux-x64');
    const other = await compileProgram(elsewhere(), 'linux-x64');
    expect(sha256(one)).toBe(sha256(other));
    expect(one.includes(scratch)).toBe(false);
  });

  test('knows committed programs that the source does not give, or that are damaged or missing', { timeout: COLD }, async () => {
    const committed = join(scratch, 'dist');
    const program = await compileProgram(here(), 'linux-x64');
    const commit = async (bytes: Buffer, said: string): Promise<string[]> => {
      await mkdir(committed, { recursive: true });
      const quick = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
      await writeFile(join(committed, 'helper-linux-x64.br'), brotliCompressSync(bytes, quick));
      const entry = { file: 'helper-linux-x64.br', size: bytes.length, sha256: said };
      await writeFile(join(committed, 'manifest.json'), JSON.stringify({ version: '1', binaries: { 'linux-x64': entry } }));
      return verify(here(), committed, ['linux-x64']);
    };
    expect(await commit(program, sha256(program))).toEqual([]);
    const old = Buffer.from('an older program');
    expect(await commit(old, sha256(old))).toEqual(['linux-x64: what is committed is not what the source gives']);
    expect(await commit(old, sha256(program))).toEqual(['linux-x64: helper-linux-x64.br is not what the manifest says.']);
    await rm(join(committed, 'helper-linux-x64.br'));
    expect(await verify(here(), committed, ['linux-x64'])).toEqual([expect.stringMatching(/^linux-x64: ENOENT/)]);
  });

  test('refuses another compiler than go.mod names', async () => {
    const other = join(scratch, 'other');
    await mkdir(other);
    await writeFile(join(other, 'go.mod'), 'module example.test/other\n\ngo 1.21\n');
    await expect(requireToolchain(other)).rejects.toThrow('helper/go.mod names no toolchain');
    await expect(requireToolchain(here())).resolves.toBeUndefined();
  });
});
