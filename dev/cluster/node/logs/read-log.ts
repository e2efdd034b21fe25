/**
 * Reads the log of one run of a container: `kubectl logs`.
 *
 * @module
 */
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { LogOptions } from '../../port.ts';
import { logFiles } from './log-file.ts';
import type { LogFile } from './log-file.ts';
import { parseLine, splitLines } from './log-line.ts';
import type { LogLine } from './log-line.ts';

const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 10;

/**
 * The lines as a client asked for them, in order. `live`: the file while the container writes to it; following ends with it, or when the
 * signal is aborted.
 */
export async function* readLog(path: string, live: LogFile | undefined, options: LogOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const since = options.sinceSeconds === undefined ? undefined : new Date(Date.now() - options.sinceSeconds * 1000);
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  let skip = options.tailLines === undefined ? 0 : countLines(path, since) - options.tailLines;
  for await (const line of followLines(path, live, options)) {
    if (since !== undefined && line.time < since) continue;
    if (skip > 0) {
      if (line.text.at(-1) === NEWLINE) skip -= 1;
      continue;
    }
    const bytes = (options.timestamps ? line.withTime : line.text).subarray(0, left);
    left -= bytes.length;
    if (bytes.length > 0) yield bytes;
    if (left <= 0) return;
  }
}

function countLines(path: string, since: Date | undefined): number {
  let count = 0;
  let open = false;
  for (const file of logFiles(path)) {
    const cursor = new Cursor(file);
    for (let lines = cursor.read(); lines.length > 0; lines = cursor.read()) {
      for (const { time, text } of lines) {
        if (since !== undefined && time < since) continue;
        open = text.at(-1) !== NEWLINE;
        if (!open) count += 1;
      }
    }
    cursor.close();
  }
  return open ? count + 1 : count;
}

async function* followLines(
  path: string,
  live: LogFile | undefined,
  { follow, signal }: LogOptions,
): AsyncGenerator<LogLine, void, undefined> {
  const files = logFiles(path);
  const earlier = files.slice(0, -1);
  let cursor: Cursor | undefined;
  try {
    for (const file of earlier) {
      cursor = new Cursor(file);
      yield* readAll(cursor, signal);
      cursor.close();
    }
    if (files.length === 0) return;
    cursor = new Cursor(path);
    for (;;) {
      const changed = new AbortController();
      const unsubscribe = follow && live?.open === true ? live.onChange(() => changed.abort()) : undefined;
      try {
        yield* readAll(cursor, signal);
        // A file that was moved aside is read to its end before the new one is begun.
        if (cursor.isReplaced(path)) {
          cursor.close();
          cursor = new Cursor(path);
          continue;
        }
        if (unsubscribe === undefined || signal.aborted) return;
        if (!changed.signal.aborted) await once(AbortSignal.any([changed.signal, signal]), 'abort');
      } finally {
        unsubscribe?.();
      }
    }
  } finally {
    cursor?.close();
  }
}

function* readAll(cursor: Cursor, signal: AbortSignal): Generator<LogLine, void, undefined> {
  for (let lines = cursor.read(); lines.length > 0 && !signal.aborted; lines = cursor.read()) yield* lines;
}

/** A place in a file, which stays the same file when it is renamed. */
class Cursor {
  #descriptor: number | undefined;
  #rest: Uint8Array = new Uint8Array();

  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
  }

  /** The next lines; none at the end of the file. */
  read(): readonly LogLine[] {
    if (this.#descriptor === undefined) return [];
    for (;;) {
      const buffer = Buffer.alloc(CHUNK_BYTES);
      const length = readSync(this.#descriptor, buffer);
      if (length === 0) return [];
      const { lines, rest } = splitLines(Buffer.concat([this.#rest, buffer.subarray(0, length)]));
      this.#rest = rest;
      const parsed = lines.map(parseLine).filter((line) => line !== undefined);
      if (parsed.length > 0) return parsed;
    }
  }

  isReplaced(path: string): boolean {
    if (this.#descriptor === undefined) return false;
    const other = openSync(path, 'r');
    try {
      return fstatSync(other).ino !== fstatSync(this.#descriptor).ino;
    } finally {
      closeSync(other);
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}
