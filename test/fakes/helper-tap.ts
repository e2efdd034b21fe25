/**
 * A way to a pod that a test listens in on: it counts what is opened, and cuts it.
 *
 * @module
 */
import { Duplex } from 'node:stream';
import type { Transport } from '../../shared/helper/port.ts';

export interface TappedTransport extends Transport {
  readonly opened: () => number;
  /** Destroys what is open, as a broken wire would. */
  cut(): void;
  /** The streams opened from now on break after this many bytes from the pod, each after its own; those after them do not. */
  cutNextAfter(...bytes: readonly number[]): void;
}

export function tap(transport: Transport): TappedTransport {
  const open = new Set<Duplex>();
  const cuts: number[] = [];
  let opened = 0;
  return {
    kind: transport.kind,
    opened: () => opened,
    cut: () => {
      for (const stream of open) stream.destroy(new Error('cut by the test'));
    },
    cutNextAfter: (...bytes) => void cuts.push(...bytes),
    open: async (target, signal) => {
      const bytes = cuts.shift();
      const whole = await transport.open(target, signal);
      opened += 1;
      const stream = bytes === undefined ? whole : cutAfter(whole, bytes);
      open.add(stream);
      stream.once('close', () => open.delete(stream));
      return stream;
    },
  };
}

function cutAfter(whole: Duplex, bytes: number): Duplex {
  let left = bytes;
  const stream = new Duplex({
    read: () => void whole.resume(),
    write: (chunk: Buffer, _encoding, done) => void whole.write(chunk, done),
    final: (done) => void whole.end(done),
    destroy: (error, done) => {
      whole.destroy();
      done(error);
    },
  });
  stream.on('error', () => undefined);
  whole.on('data', (chunk: Buffer) => {
    const part = chunk.subarray(0, left);
    left -= part.length;
    if (part.length > 0 && !stream.push(part)) whole.pause();
    if (left === 0) setImmediate(() => stream.destroy(new Error('cut by the test')));
  });
  whole.on('end', () => stream.push(null));
  whole.on('error', (error) => stream.destroy(error));
  whole.on('close', () => stream.destroy());
  return stream;
}
