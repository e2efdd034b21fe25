/**
 * Compiles the helper so that the same source gives the same bytes everywhere.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HelperPlatform } from '../../shared/helper/binaries.ts';
import { go } from './go.ts';

const TARGETS: Readonly<Record<HelperPlatform, { readonly GOOS: string; readonly GOARCH: string }>> = {
  'linux-x64': { GOOS: 'linux', GOARCH: 'amd64' },
  'linux-arm64': { GOOS: 'linux', GOARCH: 'arm64' },
  'darwin-arm64': { GOOS: 'darwin', GOARCH: 'arm64' },
};

/** No path, no commit and no build id goes into the program; nor its symbols, a third of it. */
const FLAGS = ['-trimpath', '-buildvcs=false', '-ldflags=-s -w -buildid='];

/** What else decides about the bytes. A setting of this machine's (`go env -w`, GOFLAGS) yields to a variable that is not empty. */
const FIXED = { CGO_ENABLED: '0', GOFLAGS: '-mod=readonly', GOWORK: 'off', GOAMD64: 'v1', GOARM64: 'v8.0', GOFIPS140: 'off' };

/** Compiles one platform's program into a file. Rejects with what the compiler said. */
export async function compile(source: string, platform: HelperPlatform, file: string): Promise<void> {
  const { GOEXPERIMENT: _, ...inherited } = process.env;
  await go(source, ['build', ...FLAGS, '-o', file, '.'], { ...inherited, ...FIXED, ...TARGETS[platform] });
}

/** The helper's own version, as its source has it. */
export async function versionOf(source: string): Promise<string> {
  const version = /^const version = "(?<version>[^"]+)"$/mu.exec(await readFile(join(source, 'main.go'), 'utf8'))?.groups?.['version'];
  if (version === undefined) throw new Error('helper/main.go has no line: const version = "…"');
  return version;
}
