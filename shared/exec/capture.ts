/**
 * Takes in what a command prints, within bounds.
 *
 * @module
 */
export interface Captured {
  readonly text: string;
  readonly truncated: boolean;
}

/** Keeps the first `keepBytes` of a stream and drops the rest. */
export class Capture {
  readonly #kept: Buffer[] = [];
  readonly #keepBytes: number;
  #keptBytes = 0;
  #takenBytes = 0;

  constructor(keepBytes: number) {
    this.#keepBytes = keepBytes;
  }

  take(chunk: Buffer): void {
    this.#takenBytes += chunk.length;
    const room = this.#keepBytes - this.#keptBytes;
    if (room <= 0) return;
    const part = chunk.subarray(0, room);
    this.#kept.push(part);
    this.#keptBytes += part.length;
  }

  /** What is not UTF-8 becomes U+FFFD; a character that the cut goes through is left out. */
  result(): Captured {
    const truncated = this.#takenBytes > this.#keptBytes;
    const bytes = Buffer.concat(this.#kept);
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
