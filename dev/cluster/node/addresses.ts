/**
 * Pod addresses: one of 127.64.0.0/10 each, so that pods may listen on the same port of different addresses.
 *
 * @module
 */
import { createHash } from 'node:crypto';

const BITS = 22;
const SIZE = 2 ** BITS;

/** Addresses in use, by pod uid. A pod keeps its address while it lives, over restarts of the cluster too. */
export class Addresses {
  readonly #byUid = new Map<string, string>();
  readonly #taken = new Set<string>();

  /** The pod's address; `wanted` is the one it had before, if any. */
  take(uid: string, wanted?: string): string {
    const present = this.#byUid.get(uid);
    if (present !== undefined) return present;
    const address = this.#choose(uid, wanted);
    this.#byUid.set(uid, address);
    this.#taken.add(address);
    return address;
  }

  release(uid: string): void {
    const address = this.#byUid.get(uid);
    if (address === undefined) return;
    this.#byUid.delete(uid);
    this.#taken.delete(address);
  }

  #choose(uid: string, wanted: string | undefined): string {
    // Only Linux answers to all of 127.0.0.0/8.
    if (process.platform !== 'linux') return '127.0.0.1';
    if (wanted !== undefined && !this.#taken.has(wanted)) return wanted;
    let number = createHash('sha256').update(uid).digest().readUInt32BE() % SIZE;
    while (number === 0 || number === SIZE - 1 || this.#taken.has(format(number))) number = (number + 1) % SIZE;
    return format(number);
  }
}

function format(number: number): string {
  return `127.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}
