/**
 * The project's own TypeScript files, as `dev/check-*.ts` see them.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { posix, sep } from 'node:path';

/** Paths of all `.ts` files under the folders, sorted, with forward slashes; a folder that does not exist yet has none. */
export async function listSources(folders: readonly string[]): Promise<readonly string[]> {
  const lists = await Promise.all(
    folders
      .filter((folder) => existsSync(folder))
      .map(async (folder) => {
        const entries = await readdir(folder, { recursive: true });
        return entries.filter((entry) => entry.endsWith('.ts')).map((entry) => posix.join(folder, entry.replaceAll(sep, '/')));
      }),
  );
  return lists.flat().toSorted();
}
