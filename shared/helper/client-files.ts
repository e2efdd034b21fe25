/**
 * Files in the pod. A path is text, or bytes where its names are not UTF-8.
 *
 * @module
 */
import type { Readable } from 'node:stream';
import { numberHeader } from './client-answer.ts';
import { withQuery, type Caller } from './client-request.ts';
import {
  fileListSchema,
  fileSchema,
  MOST_ENTRIES,
  sha256Schema,
  unpackedSchema,
  uploadSchema,
  writtenSchema,
  type FileEntry,
  type FileList,
} from './protocol.ts';

export type FilePath = string | Uint8Array;

export interface Commit {
  /** Permission bits. */
  readonly mode?: number;
  readonly mtimeMs?: number;
  /** Of the whole file, in hexadecimal; the file does not take the name where it differs. */
  readonly sha256?: string;
}

export interface Part {
  readonly upload: string;
  readonly offset: number;
  readonly body: Readable | Uint8Array;
  /** The last part: the file takes its name. */
  readonly commit?: Commit;
}

export interface FileContent {
  /** Of the whole file. */
  readonly size: number;
  readonly mtimeMs: number;
  readonly mode: number;
  readonly body: Readable;
}

export interface Files {
  stat(path: FilePath, signal: AbortSignal, options?: { readonly follow?: boolean }): Promise<FileEntry>;
  /** Sorted by name; `limit` is 1,000 at most. */
  list(path: FilePath, page: { readonly after?: string; readonly limit: number }, signal: AbortSignal): Promise<FileList>;
  read(path: FilePath, range: { readonly offset?: number; readonly length?: number }, signal: AbortSignal): Promise<FileContent>;
  sha256(path: FilePath, signal: AbortSignal): Promise<{ readonly sha256: string; readonly size: number }>;
  /** Answers how much of the file there is. */
  write(path: FilePath, part: Part, signal: AbortSignal): Promise<{ readonly offset: number }>;
  /** How much of an upload there is. */
  upload(path: FilePath, upload: string, signal: AbortSignal): Promise<{ readonly offset: number }>;
  dropUpload(path: FilePath, upload: string, signal: AbortSignal): Promise<void>;
  mkdir(path: FilePath, options: { readonly parents?: boolean; readonly mode?: number }, signal: AbortSignal): Promise<void>;
  move(path: FilePath, to: FilePath, options: { readonly overwrite?: boolean }, signal: AbortSignal): Promise<void>;
  remove(path: FilePath, options: { readonly recursive?: boolean }, signal: AbortSignal): Promise<void>;
  /** What is below a directory, as a tar archive. */
  pack(path: FilePath, signal: AbortSignal): Promise<Readable>;
  /** Unpacks a tar archive below a directory. */
  unpack(path: FilePath, archive: Readable, signal: AbortSignal): Promise<void>;
}

/** A thousand entries with the longest names and targets. */
const LARGEST_LIST = 8 * 1024 * 1024;
/** What goes through a whole file or tree takes as long as its disk does. */
const LONG_MS = 10 * 60_000;

export function createFiles(caller: Caller): Files {
  const uploadAt = (path: FilePath, upload: string): string => withQuery('/files/upload', { path, upload });
  return {
    stat: (path, signal, { follow = true } = {}) =>
      caller.json('GET', withQuery('/files/stat', { path, follow }), fileSchema, { signal, repeatable: true }),
    list: (path, { after, limit }, signal) => {
      const where = withQuery('/files/list', { path, after, limit: Math.min(limit, MOST_ENTRIES) });
      return caller.json('GET', where, fileListSchema, { signal, repeatable: true, mostBytes: LARGEST_LIST });
    },
    read: (path, range, signal) => read(caller, withQuery('/files/content', { path, ...range }), signal),
    sha256: (path, signal) =>
      caller.json('GET', withQuery('/files/sha256', { path }), sha256Schema, { signal, repeatable: true, answerWithinMs: LONG_MS }),
    write: (path, part, signal) => write(caller, path, part, signal),
    upload: (path, upload, signal) => caller.json('GET', uploadAt(path, upload), uploadSchema, { signal, repeatable: true }),
    dropUpload: (path, upload, signal) => caller.run('DELETE', uploadAt(path, upload), { signal }),
    mkdir: (path, { parents, mode }, signal) =>
      caller.run('POST', withQuery('/files/mkdir', { path, parents, mode: octal(mode) }), { signal }),
    move: (path, to, { overwrite }, signal) =>
      caller.run('POST', withQuery('/files/move', { path, to, overwrite }), { signal, answerWithinMs: LONG_MS }),
    remove: (path, { recursive }, signal) =>
      caller.run('DELETE', withQuery('/files', { path, recursive }), { signal, answerWithinMs: LONG_MS }),
    pack: async (path, signal) => (await caller.open('GET', withQuery('/files/tar', { path }), { signal })).body,
    unpack: async (path, archive, signal) => {
      const options = { signal, body: archive, answersAfterBody: true, answerWithinMs: LONG_MS };
      await caller.json('PUT', withQuery('/files/tar', { path }), unpackedSchema, options);
    },
  };
}

async function read(caller: Caller, path: string, signal: AbortSignal): Promise<FileContent> {
  const response = await caller.open('GET', path, { signal, repeatable: true });
  try {
    return {
      size: numberHeader(response, 'berth-size'),
      mtimeMs: numberHeader(response, 'berth-mtime-ms', /^-?\d{1,15}$/),
      mode: numberHeader(response, 'berth-mode', /^[0-7]{1,4}$/, 8),
      body: response.body,
    };
  } catch (error) {
    response.body.destroy();
    throw error;
  }
}

async function write(caller: Caller, path: FilePath, part: Part, signal: AbortSignal): Promise<{ readonly offset: number }> {
  const { upload, offset, body, commit } = part;
  const where = withQuery('/files/content', {
    path,
    upload,
    offset,
    commit: commit === undefined ? undefined : true,
    mode: octal(commit?.mode),
    mtime_ms: commit?.mtimeMs,
    sha256: commit?.sha256,
  });
  const headers = { 'content-type': 'application/octet-stream' };
  return caller.json('PUT', where, writtenSchema, { signal, body, headers, answersAfterBody: true, answerWithinMs: LONG_MS });
}

function octal(mode: number | undefined): string | undefined {
  return mode?.toString(8);
}
