/**
 * Real pipes for the standard streams of processes. Node gives its children sockets, and a socket cannot be opened by name: `echo x >
 * /dev/stderr` would fail in a container. A pipe is had from a FIFO that loses its name as soon as both ends are open.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, fchmodSync, mkdirSync, openSync, rmSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { Readable } from 'node:stream';

const BATCH = 24;

/** Two descriptors; the caller closes both. The child's end must stay in blocking mode. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

export class PipePool {
  readonly #folder: string;
  #names: string[] = [];
  #filling: Promise<void> | undefined;
  #made = 0;

  /** `folder` is for this pool alone, and emptied. */
  constructor(folder: string) {
    this.#folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  async take(): Promise<Pipe> {
    while (this.#names.length === 0) await this.fill();
    const name = this.#names.pop() ?? '';
    if (this.#names.length < BATCH / 2) void this.fill().catch(() => undefined);
    return openPipe(name);
  }

  /** Makes a batch of FIFOs, if none is being made. Rejects where `mkfifo` fails. */
  async fill(): Promise<void> {
    this.#filling ??= this.#make().finally(() => {
      this.#filling = undefined;
    });
    await this.#filling;
  }

  async #make(): Promise<void> {
    const names = Array.from({ length: BATCH }, (_, index) => join(this.#folder, String(this.#made + index)));
    this.#made += BATCH;
    const child = spawn('mkfifo', ['--', ...names], { stdio: 'ignore' });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`mkfifo ended with ${String(code)}`);
    this.#names.push(...names);
  }
}

function openPipe(name: string): Pipe {
  // Opening one end alone would wait for the other; opened for both, a FIFO never waits (on Linux and macOS).
  const both = openSync(name, constants.O_RDWR);
  try {
    const readEnd = openSync(name, constants.O_RDONLY);
    const writeEnd = openSync(name, constants.O_WRONLY);
    // Opening `/dev/stdout` asks for the right to the pipe, which the container's user has no other way to get.
    fchmodSync(both, 0o666);
    return { readEnd, writeEnd };
  } finally {
    closeSync(both);
    unlinkSync(name);
  }
}

/** What the child writes. Takes over the descriptor. */
export function readFrom(descriptor: number): Readable {
  return new Socket({ fd: descriptor, readable: true, writable: false });
}

/** What the child reads. Takes over the descriptor; `end()` closes it, since half a pipe cannot be shut down as a socket can. */
export function writeTo(descriptor: number): Writable {
  const socket = new Socket({ fd: descriptor, readable: false, writable: true });
  const stream = new Writable({
    write: (chunk: Uint8Array, _encoding, callback) => void socket.write(chunk, callback),
    final: (callback) => {
      socket.destroy();
      callback();
    },
    destroy: (error, callback) => {
      socket.destroy();
      callback(error);
    },
  });
  // A command that reads no further is no error: it ended, or it has read enough. The writer is told by the stream's end.
  socket.on('error', () => stream.destroy());
  stream.on('error', () => undefined);
  return stream;
}
