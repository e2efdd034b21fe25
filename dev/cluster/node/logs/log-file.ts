/**
 * The output of one run of a container, in a file of bounded size: at 10 MiB it is moved aside, and the one before is given up.
 *
 * @module
 */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { formatLine, LONGEST_PART, splitLines } from './log-line.ts';
import type { LogStream } from './log-line.ts';

const LARGEST_BYTES = 10 * 1024 * 1024;

export class LogFile {
  readonly path: string;
  readonly #listeners = new Set<() => void>();
  readonly #now: () => Date;
  #descriptor: number | undefined;
  #size: number;

  /** Goes on with the file where there is one. */
  constructor(path: string, now: () => Date = () => new Date()) {
    this.path = path;
    this.#now = now;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#descriptor = openSync(path, 'a', 0o600);
    this.#size = fstatSync(this.#descriptor).size;
  }

  get open(): boolean {
    return this.#descriptor !== undefined;
  }

  /** Everything that the container writes. Written before more is read, so a container cannot run ahead of the disk. */
  async collect(stream: LogStream, source: Readable): Promise<void> {
    let rest: Uint8Array = new Uint8Array();
    try {
      for await (const chunk of source) {
        const { lines, rest: left } = splitLines(Buffer.concat([rest, chunk as Uint8Array]));
        rest = left;
        const entries = lines.map((line) => this.#format(stream, line, true));
        if (rest.length >= LONGEST_PART) {
          entries.push(this.#format(stream, rest, false));
          rest = new Uint8Array();
        }
        this.#write(entries);
      }
    } finally {
      if (rest.length > 0) this.#write([this.#format(stream, rest, false)]);
    }
  }

  /** Calls back after each write and at the end, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#listeners.forEach((listener) => listener());
  }

  #format(stream: LogStream, text: Uint8Array, whole: boolean): Uint8Array {
    const parts: Uint8Array[] = [];
    let start = 0;
    for (; text.length - start > LONGEST_PART; start += LONGEST_PART)
      parts.push(formatLine(this.#now(), stream, text.subarray(start, start + LONGEST_PART), false));
    return Buffer.concat([...parts, formatLine(this.#now(), stream, text.subarray(start), whole)]);
  }

  #write(entries: readonly Uint8Array[]): void {
    if (this.#descriptor === undefined || entries.length === 0) return;
    const bytes = Buffer.concat(entries);
    if (this.#size > 0 && this.#size + bytes.length > LARGEST_BYTES) this.#rotate(this.#descriptor);
    writeSync(this.#descriptor, bytes);
    this.#size += bytes.length;
    this.#listeners.forEach((listener) => listener());
  }

  #rotate(descriptor: number): void {
    closeSync(descriptor);
    renameSync(this.path, rotatedPath(this.path));
    this.#descriptor = openSync(this.path, 'a', 0o600);
    this.#size = 0;
  }
}

function rotatedPath(path: string): string {
  return `${path}.1`;
}

/** The files of a run, oldest first. */
export function logFiles(path: string): readonly string[] {
  return [rotatedPath(path), path].filter((file) => existsSync(file));
}

export function removeLog(path: string): void {
  for (const file of [path, rotatedPath(path)]) rmSync(file, { force: true });
}
