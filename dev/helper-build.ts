/**
 * `npm run helper:build`: compiles the helper for each platform and packs it into `helper/dist`, with a manifest; these are committed,
 * so that Berth runs where there is no Go. With `--verify` it only says whether what is committed is what the source gives.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { z } from 'zod';
import { createHelperBinaries, helperPlatforms, type HelperPlatform, type helperManifestSchema } from '../shared/helper/binaries.ts';
import { compile, versionOf } from './helper/compile.ts';
import { requireToolchain } from './helper/go.ts';
import { type Packed, pack } from './helper/pack.ts';

type Manifest = z.infer<typeof helperManifestSchema>;

/** A pod gets a packed program over exec before it can do anything. */
const MAX_PACKED_BYTES = 2.5 * 1000 * 1000;

const SOURCE = fileURLToPath(new URL('../helper', import.meta.url));

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function inScratch<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-helper-build-'));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Compiles one platform's program and resolves with its bytes. `source` is the folder `helper`, or a copy of it. */
export async function compileProgram(source: string, platform: HelperPlatform): Promise<Buffer> {
  return inScratch(async (folder) => {
    await compile(source, platform, join(folder, 'helper'));
    return readFile(join(folder, 'helper'));
  });
}

interface Program {
  readonly platform: HelperPlatform;
  readonly bytes: Buffer;
  readonly packed: Packed;
}

/** Compiles one after the other, because a compilation uses all cores, and packs at the same time, because packing uses one. */
async function compileAndPack(source: string): Promise<Program[]> {
  const packing: Promise<Program>[] = [];
  for (const platform of helperPlatforms) {
    const bytes = await compileProgram(source, platform);
    packing.push(pack(bytes).then((packed) => ({ platform, bytes, packed })));
  }
  return Promise.all(packing);
}

/** Builds all platforms into `target` and resolves with the names of the files that are too large. */
async function build(source: string, target: string): Promise<string[]> {
  await requireToolchain(source);
  const manifest: Manifest = { version: await versionOf(source), binaries: {} };
  const programs = await compileAndPack(source);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  const tooLarge: string[] = [];
  for (const { platform, bytes, packed } of programs) {
    const file = `helper-${platform}.${packed.ending}`;
    await writeFile(join(target, file), packed.bytes);
    manifest.binaries[platform] = { file, size: bytes.length, sha256: sha256(bytes) };
    console.log(`helper/dist/${file}: ${bytes.length} bytes, packed ${packed.bytes.length}`);
    if (packed.bytes.length > MAX_PACKED_BYTES) tooLarge.push(file);
  }
  await writeFile(join(target, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return tooLarge;
}

/** What is wrong with the committed program of one platform; `undefined` where nothing is. */
async function differenceOf(source: string, committed: string, platform: HelperPlatform): Promise<string | undefined> {
  const expected = sha256(await compileProgram(source, platform));
  try {
    const { sha256: said } = await createHelperBinaries(committed).read(platform);
    return said === expected ? undefined : `${platform}: what is committed is not what the source gives`;
  } catch (error) {
    return `${platform}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Compares what is committed with what the source gives, unpacked, and resolves with every difference. */
export async function verify(
  source: string,
  committed: string,
  platforms = helperPlatforms as readonly HelperPlatform[],
): Promise<string[]> {
  await requireToolchain(source);
  const differences: string[] = [];
  for (const platform of platforms) {
    const difference = await differenceOf(source, committed, platform);
    if (difference !== undefined) differences.push(difference);
  }
  return differences;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { verify: { type: 'boolean', default: false } } });
  const target = join(SOURCE, 'dist');
  if (values.verify) {
    const differences = await verify(SOURCE, target);
    if (differences.length > 0) {
      console.error(`${differences.join('\n')}\nRun "npm run helper:build" and commit helper/dist.`);
      process.exitCode = 1;
    }
  } else {
    const tooLarge = await build(SOURCE, target);
    if (tooLarge.length > 0) {
      console.error(`Larger than ${MAX_PACKED_BYTES} bytes: ${tooLarge.join(', ')}. See what "go list -deps ." has too much in helper/.`);
      process.exitCode = 1;
    }
  }
}
