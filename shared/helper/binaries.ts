/**
 * The helper's programs, as they are committed: packed, one per platform, in `helper/dist/` with a `manifest.json` beside them.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliDecompress, zstdDecompress } from 'node:zlib';
import { z } from 'zod';

export const helperPlatforms = ['linux-x64', 'linux-arm64', 'darwin-arm64'] as const;
export type HelperPlatform = (typeof helperPlatforms)[number];

export interface HelperBinary {
  readonly bytes: Uint8Array;
  /** Of the bytes, hexadecimal; as the manifest has it. */
  readonly sha256: string;
}

export interface HelperBinaries {
  /** Unpacked at first use, once. Rejects with an `Error` that names the file where the build is not whole. */
  read(platform: HelperPlatform): Promise<HelperBinary>;
}

const entrySchema = z.object({
  /** In the same folder; its ending tells how it is packed. */
  file: z.string().regex(/^[A-Za-z0-9._-]+\.(?:br|zst)$/),
  /** Unpacked, in bytes. */
  size: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

/** `helper/dist/manifest.json`: what the build writes and this reads. */
export const helperManifestSchema = z.object({
  version: z.string(),
  binaries: z.partialRecord(z.enum(helperPlatforms), entrySchema),
});

/** Two levels up from here as from a bundled unit's folder (`dist/<unit>/`), which has `helper/dist/` beside `dist/`. */
const BESIDE_THE_CODE = fileURLToPath(new URL('../../helper/dist/', import.meta.url));

const unpack = { br: promisify(brotliDecompress), zst: promisify(zstdDecompress) };

export function createHelperBinaries(directory = BESIDE_THE_CODE): HelperBinaries {
  const unpacked = new Map<HelperPlatform, Promise<HelperBinary>>();
  return {
    read(platform) {
      const known = unpacked.get(platform);
      if (known !== undefined) return known;
      const reading = readBinary(directory, platform);
      unpacked.set(platform, reading);
      reading.catch(() => unpacked.delete(platform));
      return reading;
    },
  };
}

async function readBinary(directory: string, platform: HelperPlatform): Promise<HelperBinary> {
  const manifest = helperManifestSchema.parse(JSON.parse(await readFile(join(directory, 'manifest.json'), 'utf8')));
  const entry = manifest.binaries[platform];
  if (entry === undefined) throw new Error(`${directory} has no helper for ${platform}. Build it: npm run helper:build`);
  const packed = await readFile(join(directory, entry.file));
  const bytes = await unpack[entry.file.endsWith('.br') ? 'br' : 'zst'](packed, { maxOutputLength: entry.size });
  if (bytes.length !== entry.size) throw new Error(`${entry.file} holds ${bytes.length} bytes, and the manifest says ${entry.size}.`);
  // Here, once, and not in the pod at each upload: what is cut on the way has another size, and TLS sees to the rest.
  if (createHash('sha256').update(bytes).digest('hex') !== entry.sha256) throw new Error(`${entry.file} is not what the manifest says.`);
  return { bytes, sha256: entry.sha256 };
}
