/**
 * A value that must never be seen: it prints as `[secret]` wherever a string, JSON or an inspection is made of it.
 *
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const MASK = '[secret]';

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that sends or stores it. */
  reveal(): string {
    return this.#value;
  }

  /** SHA-256 in hex. Enough for a secret of 256 random bits, which nobody can guess; never for a password. */
  digest(): string {
    return createHash('sha256').update(this.#value).digest('hex');
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}

/** Compares without telling by its time how much of the two is equal. */
export function equalInConstantTime(left: string, right: string): boolean {
  // Digests have one length, which `timingSafeEqual` insists on.
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest();
  return timingSafeEqual(digest(left), digest(right));
}
