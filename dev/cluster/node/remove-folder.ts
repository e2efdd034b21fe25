/**
 * Removes a folder, whatever a container has made of the permissions in it.
 *
 * @module
 */
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Rejects only where something stays that we have no right to; that it is not there is fine. */
export async function removeFolder(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM' || error.code === 'ENOTEMPTY')))
      throw error;
    await openFolders(folder);
    await rm(folder, { recursive: true, force: true });
  }
}

/** An ordinary user cannot empty even his own folder while it is read-only. Links are not followed. */
async function openFolders(folder: string): Promise<void> {
  const found = await lstat(folder).catch(() => undefined);
  if (found?.isDirectory() !== true) return;
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await openFolders(join(folder, entry.name));
}
