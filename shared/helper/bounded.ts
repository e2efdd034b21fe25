/**
 * Takes in a whole body that may be hostile.
 *
 * @module
 */
import type { Readable } from 'node:stream';
import { startDeadline } from '../deadline.ts';
import { AppError } from '../errors/app-error.ts';

const LONGEST_MS = 10_000;

/**
 * At most `mostBytes`, within 10 s. Throws `AppError` `helper_protocol_error` where it is more or takes longer, or what the body fails
 * with; the body is destroyed in any case.
 */
export async function readBounded(body: Readable, mostBytes: number): Promise<Buffer> {
  const refuse = (detail: string): AppError => new AppError('helper_protocol_error', detail);
  using deadline = startDeadline(LONGEST_MS);
  const tooSlow = (): void => void body.destroy(refuse("The helper's answer did not end in time."));
  deadline.signal.addEventListener('abort', tooSlow);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > mostBytes) throw refuse(`The helper's answer is larger than ${String(mostBytes)} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
