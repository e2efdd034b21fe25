/**
 * Takes in what a command prints, within bounds.
 *
 * @module
 */
export interface Captured {
  readonly text: string;
  readonly truncated: boolean;
}

const FIRST_BLOCK_BYTES = 1024;
const BLOCK_BYTES = 256 * 1024;

/**
 * Keeps the first `keepBytes` of a stream and drops the rest. What is kept is copied: a part of a larger buffer would hold on to all of
 * it, and a program that prints a byte at a time would cost a thousand times what it prints.
 */
export class Capture {
  readonly #blocks: Buffer[] = [];
  readonly #keepBytes: number;
  #lastBlockBytes = 0;
  #keptBytes = 0;
  #takenBytes = 0;

  constructor(keepBytes: number) {
    this.#keepBytes = keepBytes;
  }

  /** Of all that came, kept or not. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  take(chunk: Uint8Array): void {
    this.#takenBytes += chunk.length;
    let rest = chunk.subarray(0, Math.max(0, this.#keepBytes - this.#keptBytes));
    this.#keptBytes += rest.length;
    while (rest.length > 0) {
      const block = this.#blockWithRoom(rest.length);
      const part = rest.subarray(0, block.length - this.#lastBlockBytes);
      block.set(part, this.#lastBlockBytes);
      this.#lastBlockBytes += part.length;
      rest = rest.subarray(part.length);
    }
  }

  /** Blocks grow with what has come, so that little output costs little. */
  #blockWithRoom(wantedBytes: number): Buffer {
    const last = this.#blocks.at(-1);
    if (last !== undefined && this.#lastBlockBytes < last.length) return last;
    const size = Math.min(BLOCK_BYTES, Math.max(FIRST_BLOCK_BYTES, wantedBytes, this.#keptBytes));
    const block = Buffer.allocUnsafeSlow(size);
    this.#blocks.push(block);
    this.#lastBlockBytes = 0;
    return block;
  }

  /** What is not UTF-8 becomes U+FFFD; a character that the cut goes through is left out. */
  result(): Captured {
    const truncated = this.#takenBytes > this.#keptBytes;
    const bytes = Buffer.concat(this.#blocks, this.#keptBytes);
    const whole = truncated ? bytes.subarray(0, bytes.length - incompleteTail(bytes)) : bytes;
    return { text: whole.toString('utf8'), truncated };
  }
}

/** How many bytes at the end begin a UTF-8 character that is not complete (RFC 3629 §3): 0 to 3. */
function incompleteTail(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue;
    return characterBytes(byte) > back ? back : 0;
  }
  return 0;
}

function characterBytes(firstByte: number): number {
  if (firstByte >= 0b1111_0000) return 4;
  if (firstByte >= 0b1110_0000) return 3;
  return firstByte >= 0b1100_0000 ? 2 : 1;
}
