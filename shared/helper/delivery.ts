/**
 * Puts the helper into a running container through its shell. The exec stream that carries the upload becomes the first channel.
 *
 * @module
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError } from '../errors/app-error.ts';
import type { ExecStream } from '../kubernetes/port.ts';
import type { HelperBinaries, HelperBinary, HelperPlatform } from './binaries.ts';
import { deliveryFailure, noBinaryFor } from './delivery-failure.ts';
import { sayings } from './delivery-script.ts';

const MOST_NOISE_BYTES = 1024;
const MOST_STDERR_BYTES = 2048;
const CHUNK_BYTES = 256 * 1024;
/** What `uname -sm` says. */
const platforms: Readonly<Record<string, HelperPlatform>> = {
  'Linux x86_64': 'linux-x64',
  'Linux amd64': 'linux-x64',
  'Linux aarch64': 'linux-arm64',
  'Linux arm64': 'linux-arm64',
  'Darwin arm64': 'darwin-arm64',
};

/** The end of what a stream says, while it is being read away. */
export function lastWords(stream: Readable): () => string {
  let words = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    words = Buffer.concat([words, chunk]).subarray(-MOST_STDERR_BYTES);
  });
  return () => words.toString();
}

/**
 * The control plane's side of `deliveryCommand`, up to its `ready`; what follows on the stream is HTTP/2, and no byte of it has been
 * taken. Throws `AppError` as `deliveryFailure` tells, `helper_protocol_error` where something else than the script answers.
 */
export async function deliver(stream: ExecStream, binaries: HelperBinaries, stderr: () => string): Promise<void> {
  const first = await listen(stream, stderr);
  if (first === sayings.ready) return;
  const machine = first.slice(sayings.want.length);
  const platform = platforms[machine];
  if (platform === undefined) throw noBinaryFor(machine);
  await send(stream.stdin, await binaries.read(platform));
  const second = await listen(stream, stderr);
  if (second !== sayings.ready) throw new AppError('helper_protocol_error', "The session's container asked for the helper twice.");
}

async function send(stdin: Writable, { bytes }: HelperBinary): Promise<void> {
  const parts = function* (): Generator<Uint8Array> {
    yield Buffer.from(`${String(bytes.length)}\n`);
    for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES) yield bytes.subarray(offset, offset + CHUNK_BYTES);
  };
  // A script that ends before it has read all of it says why with its exit code, which is what counts.
  await pipeline(parts, stdin, { end: false }).catch(() => undefined);
}

/** The next line that the script says. A shell may have start-up files that print, so other lines are passed over, 1 KiB at most. */
async function listen({ stdout, exit }: ExecStream, stderr: () => string): Promise<string> {
  let heard = Buffer.alloc(0);
  for (;;) {
    const chunk = stdout.read() as Buffer | null;
    if (chunk === null) {
      if (stdout.readableEnded || stdout.destroyed) throw deliveryFailure(await exit, stderr());
      await change(stdout);
      continue;
    }
    heard = Buffer.concat([heard, chunk]);
    const { saying, rest, noise } = findSaying(heard);
    if (saying !== undefined) {
      if (rest.length > 0) stdout.unshift(rest);
      return saying;
    }
    if (noise > MOST_NOISE_BYTES) throw new AppError('helper_protocol_error', "The session's container says too much before the helper.");
  }
}

/** Waits until there is something to read, or never will be. */
async function change(stream: Readable): Promise<void> {
  const done = new AbortController();
  const { signal } = done;
  await Promise.race([once(stream, 'readable', { signal }), once(stream, 'end', { signal }), once(stream, 'close', { signal })]).finally(
    () => done.abort(),
  );
}

function findSaying(heard: Buffer): { saying?: string; rest: Buffer; noise: number } {
  for (let start = 0; ;) {
    const end = heard.indexOf('\n', start);
    if (end === -1) return { rest: heard, noise: heard.length };
    const line = heard.subarray(start, end).toString();
    if (line === sayings.ready || line.startsWith(sayings.want)) return { saying: line, rest: heard.subarray(end + 1), noise: start };
    start = end + 1;
  }
}
