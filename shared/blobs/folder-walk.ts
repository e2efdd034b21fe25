/**
 * The names of the blobs in a folder, in their order, with no more in memory than the folders on the way.
 *
 * @module
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { compareNames, fromEntry, toFolderPath } from './folder-names.ts';
import { BlobError } from './port.ts';

/** Names that begin with `prefix` and come behind `after`. Throws `BlobError` `unavailable`. */
export async function* walk(root: string, prefix: string, after: string | undefined): AsyncGenerator<string> {
  const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walkFolder(join(root, ...(folder === '' ? [] : toFolderPath(folder))), folder, prefix, after);
}

async function* walkFolder(path: string, base: string, prefix: string, after: string | undefined): AsyncGenerator<string> {
  const parts = (await entriesOf(path)).map((entry) => ({ entry, part: fromEntry(entry) }));
  // A folder's slash is part of what it is ordered by, as it is part of the names below it.
  const names = parts.flatMap(({ entry, part }) => (part === undefined ? [] : [{ entry, name: `${base}${part}` }]));
  for (const { entry, name } of names.toSorted((left, right) => compareNames(left.name, right.name))) {
    if (!name.startsWith(prefix)) continue;
    if (!name.endsWith('/')) {
      if (after === undefined || compareNames(name, after) > 0) yield name;
    } else if (after === undefined || after.startsWith(name) || compareNames(name, after) > 0) {
      yield* walkFolder(join(path, entry), name, prefix, after);
    }
  }
}

async function entriesOf(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw new BlobError('unavailable', 'The folder of the blobs cannot be read', { cause: error });
  }
}
