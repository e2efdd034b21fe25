/**
 * `npm run helper:image -- FILE`: the image that `BERTH_HELPER_IMAGE` names, as an archive: the helper alone, for an init container.
 * `--empty` makes an image without any file instead, for tests; `--name NAME` gives another name than `berth.local/helper:<version>`.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createHelperBinaries } from '../shared/helper/binaries.ts';
import { buildImageArchive } from './oci-image.ts';

/** Any user but root; a pod may name another. */
const USER = '1000';
const PLATFORMS = [
  { architecture: 'amd64', platform: 'linux-x64' },
  { architecture: 'arm64', platform: 'linux-arm64' },
] as const;

/** Rejects where the helper has not been built. */
export async function buildHelperImage(name: string): Promise<Uint8Array> {
  const binaries = createHelperBinaries();
  const platforms = await Promise.all(
    PLATFORMS.map(async ({ architecture, platform }) => ({
      architecture,
      files: [{ name: 'helper', bytes: (await binaries.read(platform)).bytes }],
    })),
  );
  return buildImageArchive({ name, platforms, user: USER, entrypoint: ['/helper'] });
}

export function buildEmptyImage(name: string): Uint8Array {
  const platforms = PLATFORMS.map(({ architecture }) => ({ architecture, files: [] }));
  return buildImageArchive({ name, platforms, user: USER, entrypoint: [] });
}

const usage = 'Usage: npm run helper:image -- [--empty] [--name NAME] FILE';

/** `undefined` where the arguments are no call. */
function parseCall() {
  try {
    const { values, positionals } = parseArgs({
      options: { empty: { type: 'boolean', default: false }, name: { type: 'string' } },
      allowPositionals: true,
    });
    const [file, ...others] = positionals;
    return file === undefined || others.length > 0 ? undefined : { values, file };
  } catch {
    return undefined;
  }
}

async function main(): Promise<void> {
  const call = parseCall();
  if (call === undefined) {
    console.error(usage);
    process.exitCode = 2;
    return;
  }
  const { values, file } = call;
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const name = values.name ?? `berth.local/${values.empty ? 'empty' : 'helper'}:${version}`;
  const archive = values.empty ? buildEmptyImage(name) : await buildHelperImage(name);
  writeFileSync(file, archive);
  console.log(`${file}: ${name}, ${archive.length} bytes`);
}

if (import.meta.main) await main();
