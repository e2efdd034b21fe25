/**
 * The blob store of a laptop: one file per blob in a folder. A blob is written into a file of its own, which then takes its place in one
 * step, so nobody ever sees half of one, not even after a power cut.
 *
 * A file begins with a line of 256 bytes, which holds the content type and is padded with spaces: body and type change together.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, readdir, rename, rm, rmdir, stat as fileStat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { abortable } from './abortable.ts';
import {
  checkContentType,
  checkFolder,
  checkLimit,
  checkName,
  checkPrefix,
  decodeCursor,
  DEFAULT_CONTENT_TYPE,
  encodeCursor,
  resolveRange,
} from './check.ts';
import { toFolderPath, toPath } from './folder-names.ts';
import { walk } from './folder-walk.ts';
import {
  type Blob,
  type BlobBody,
  BlobError,
  type BlobPage,
  type BlobStat,
  type BlobStore,
  type GetOptions,
  type ListOptions,
  type PutOptions,
} from './port.ts';

const HEADER_BYTES = 256;
const READ_BYTES = 64 * 1024;
/** Another process may remove an empty folder between its making and the file's arrival in it. */
const PLACING_ATTEMPTS = 5;
/** Older drafts were left behind by a process that died; no upload takes a day. */
const DRAFT_MS = 24 * 3_600_000;

class FolderBlobs implements BlobStore {
  readonly #root: string;
  /** Beside the blobs, on the same file system; the dot keeps it apart from every encoded name. */
  readonly #drafts: string;
  #tidied: Promise<void> | undefined;

  constructor(root: string) {
    this.#root = root;
    this.#drafts = join(root, '.drafts');
  }

  async put(name: string, body: BlobBody, options: PutOptions = {}): Promise<BlobStat> {
    checkName(name);
    const contentType = checkContentType(options.contentType);
    options.signal?.throwIfAborted();
    const draft = join(this.#drafts, randomBytes(12).toString('hex'));
    const file = await translated(async () => {
      await mkdir(this.#drafts, { recursive: true, mode: 0o700 });
      await this.#tidy();
      return open(draft, 'wx+', 0o600);
    });
    try {
      await write(file, contentType, body, options.signal);
      await translated(async () => {
        await file.sync();
        await this.#place(draft, this.#path(name), options.ifAbsent === true);
      });
      return await statOf(name, file);
    } finally {
      await file.close();
      await rm(draft, { force: true });
    }
  }

  async get(name: string, options: GetOptions = {}): Promise<Blob> {
    checkName(name);
    options.signal?.throwIfAborted();
    const file = await translated(() => openIfThere(this.#path(name)));
    if (file === undefined) throw new BlobError('not_found', `There is no blob ${name}`);
    try {
      const stat = await statOf(name, file);
      return { stat, body: streamOf(file, resolveRange(options.range, stat.size), options.signal) };
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async stat(name: string): Promise<BlobStat | undefined> {
    checkName(name);
    const file = await translated(() => openIfThere(this.#path(name)));
    if (file === undefined) return undefined;
    try {
      return await statOf(name, file);
    } finally {
      await file.close();
    }
  }

  async list(prefix: string, { limit, cursor, signal }: ListOptions): Promise<BlobPage> {
    checkPrefix(prefix);
    checkLimit(limit);
    const after = decodeCursor(prefix, cursor);
    const blobs: BlobStat[] = [];
    for await (const name of walk(this.#root, prefix, after)) {
      signal?.throwIfAborted();
      const last = blobs.at(-1);
      if (blobs.length === limit && last !== undefined) return { blobs, nextCursor: encodeCursor(prefix, last.name) };
      const stat = await this.stat(name);
      if (stat !== undefined) blobs.push(stat);
    }
    return { blobs };
  }

  async delete(name: string): Promise<void> {
    checkName(name);
    await translated(async () => {
      const path = this.#path(name);
      await unlink(path).catch(ignore('ENOENT', 'ENOTDIR'));
      await this.#prune(dirname(path));
    });
  }

  async deletePrefix(prefix: string, signal?: AbortSignal): Promise<number> {
    checkFolder(prefix);
    let deleted = 0;
    for await (const name of walk(this.#root, prefix, undefined)) {
      signal?.throwIfAborted();
      await translated(() => unlink(this.#path(name)).catch(ignore('ENOENT')));
      deleted += 1;
    }
    await translated(async () => {
      const folder = join(this.#root, ...toFolderPath(prefix));
      // Folders alone are left; a blob that was written meanwhile keeps its own.
      await removeEmptyFolders(folder);
      await this.#prune(dirname(folder));
    });
    return deleted;
  }

  async close(): Promise<void> {}

  /** Once; again where it failed, for what was in the way may be gone. */
  #tidy(): Promise<void> {
    this.#tidied ??= removeOldDrafts(this.#drafts).catch((error: unknown) => {
      this.#tidied = undefined;
      throw error;
    });
    return this.#tidied;
  }

  #path(name: string): string {
    return join(this.#root, ...toPath(name));
  }

  async #place(draft: string, path: string, ifAbsent: boolean): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await (ifAbsent ? link(draft, path) : rename(draft, path));
        await syncFolder(dirname(path));
        return;
      } catch (error) {
        if (codeOf(error) === 'EEXIST') throw new BlobError('already_exists', 'There is a blob of this name', { cause: error });
        if (codeOf(error) !== 'ENOENT' || attempt === PLACING_ATTEMPTS) throw error;
      }
    }
  }

  /** Removes folders that have become empty, up to the root. */
  async #prune(folder: string): Promise<void> {
    for (let current = folder; current !== this.#root && current.startsWith(this.#root); current = dirname(current)) {
      try {
        await rmdir(current);
      } catch (error) {
        if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error;
        return;
      }
    }
  }
}

async function removeEmptyFolders(folder: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await removeEmptyFolders(join(folder, entry.name));
  await rmdir(folder).catch(ignore('ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'));
}

async function write(file: FileHandle, contentType: string, body: BlobBody, signal: AbortSignal | undefined): Promise<void> {
  const header = JSON.stringify({ content_type: contentType }).padEnd(HEADER_BYTES - 1);
  await translated(() => file.appendFile(`${header}\n`));
  for await (const bytes of abortable(body, signal)) await translated(() => file.appendFile(bytes));
}

async function removeOldDrafts(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const draft = await fileStat(path).catch(ignore('ENOENT'));
    if (draft !== undefined && draft.mtimeMs < Date.now() - DRAFT_MS) await rm(path, { force: true });
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  return open(path, constants.O_RDONLY).catch(ignore('ENOENT', 'ENOTDIR'));
}

async function statOf(name: string, file: FileHandle): Promise<BlobStat> {
  return translated(async () => {
    const { size, mtime } = await file.stat();
    return { name, size: size - HEADER_BYTES, contentType: await readContentType(file), updatedAt: mtime };
  });
}

async function readContentType(file: FileHandle): Promise<string> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(HEADER_BYTES), 0, HEADER_BYTES, 0);
  const header: unknown = JSON.parse(buffer.toString('utf8', 0, bytesRead));
  const known = typeof header === 'object' && header !== null && 'content_type' in header && typeof header.content_type === 'string';
  return known ? String(header.content_type) : DEFAULT_CONTENT_TYPE;
}

function streamOf(file: FileHandle, { start, end }: { start: number; end: number }, signal: AbortSignal | undefined) {
  let position = start;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          signal?.throwIfAborted();
          const wanted = Math.min(READ_BYTES, end - position);
          const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted), 0, wanted, HEADER_BYTES + position);
          position += bytesRead;
          if (bytesRead > 0) controller.enqueue(buffer.subarray(0, bytesRead));
          if (bytesRead > 0 && position < end) return;
          await file.close();
          controller.close();
        } catch (error) {
          await file.close();
          controller.error(signal?.aborted === true ? signal.reason : toBlobError(error));
        }
      },
      cancel: () => file.close(),
    },
    { highWaterMark: 0 },
  );
}

/** The name of a new file is safe only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function ignore(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(codeOf(error) ?? '')) throw error;
    return undefined;
  };
}

function toBlobError(error: unknown): unknown {
  if (error instanceof BlobError || codeOf(error) === undefined) return error;
  return new BlobError('unavailable', `The folder of the blobs cannot be used: ${(error as Error).message}`, { cause: error });
}

async function translated<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    throw toBlobError(error);
  }
}

/** The blob store in this folder, which is made with the first blob. */
export function openFolderBlobs(root: string): BlobStore {
  return new FolderBlobs(root);
}
