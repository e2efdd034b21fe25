/**
 * The helper as a program of this machine: it makes the terminals of `exec`, starts what runs in images without a shell, and is in the
 * image `berth.local/helper`.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { helperPlatforms } from '../../shared/helper/binaries.ts';
import type { HelperBinaries } from '../../shared/helper/binaries.ts';

/** Unpacks it into the folder, unless it is there, and removes older ones. `undefined` where none is built for this machine. */
export async function unpackMachineHelper(binaries: HelperBinaries, folder: string): Promise<string | undefined> {
  const platform = helperPlatforms.find((name) => name === `${process.platform}-${process.arch}`);
  if (platform === undefined) return undefined;
  const { bytes, sha256 } = await binaries.read(platform);
  const name = `helper-${sha256.slice(0, 12)}`;
  const path = join(folder, name);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  for (const other of readdirSync(folder)) if (other !== name) rmSync(join(folder, other));
  if (hashOf(path) === sha256) return path;
  writeFileSync(`${path}.new`, bytes);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
  return path;
}

function hashOf(path: string): string | undefined {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return undefined;
  }
}
