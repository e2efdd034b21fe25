/**
 * A folder within one that containers write to. They may put a link anywhere in it, at any time, and the node may be root: so each
 * step of the path is opened from the one before, and no link is followed.
 *
 * @module
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY;

/** The path has a link in it, a file, or a step upwards. */
export class LeavesFolderError extends Error {
  constructor(path: string) {
    super(`the path ${path} leaves the volume`);
    this.name = 'LeavesFolderError';
  }
}

/**
 * Makes what is missing, calls `onMade` with the descriptor of each folder that is new, and answers where the last one is. What a
 * container does with the path after that is for whoever uses it to check again. Throws `LeavesFolderError`.
 */
export function makeInnerFolder(base: string, path: string, onMade: (descriptor: number) => void): string {
  const names = path.split('/').filter((name) => name !== '');
  if (names.some((name) => name === '.' || name === '..')) throw new LeavesFolderError(path);
  const root = realpathSync(base);
  let descriptor = openSync(root, FOLDER);
  try {
    for (const [index, name] of names.entries()) {
      // Elsewhere than on Linux containers have no sandbox, so there is nothing that they could not reach anyway.
      const parent = existsSync('/proc/self/fd') ? `/proc/self/fd/${String(descriptor)}` : join(root, ...names.slice(0, index));
      const isNew = makeFolder(join(parent, name));
      const next = openFolder(join(parent, name), path);
      closeSync(descriptor);
      descriptor = next;
      if (isNew) onMade(descriptor);
    }
  } finally {
    closeSync(descriptor);
  }
  return join(root, ...names);
}

function makeFolder(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  }
}

function openFolder(path: string, whole: string): number {
  try {
    return openSync(path, FOLDER | constants.O_NOFOLLOW);
  } catch (error) {
    if (isCode(error, 'ENOTDIR') || isCode(error, 'ELOOP')) throw new LeavesFolderError(whole);
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
