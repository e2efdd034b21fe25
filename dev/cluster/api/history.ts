/**
 * The last changes of all kinds, so that a watch can resume and a paged list stays what it was when it began.
 *
 * @module
 */
import type { Entry } from './entry.ts';
import type { Kind } from './resources.ts';

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly kind: Kind;
  readonly key: string;
  readonly revision: number;
  /** The new version; for `DELETED` the last one, under the revision of its end. */
  readonly entry: Entry;
  readonly previous: Entry | undefined;
}

export class History {
  readonly #limit: number;
  readonly #changes: Change[] = [];
  #floor: number;

  /** `floor`: the revision up to which nothing is known. `limit`: how many changes are kept. */
  constructor(floor: number, limit: number) {
    this.#floor = floor;
    this.#limit = limit;
  }

  /** Revisions below this one have been forgotten. */
  get floor(): number {
    return this.#floor;
  }

  push(change: Change): void {
    this.#changes.push(change);
    // Cut in blocks, so that a push costs no move of the whole array.
    if (this.#changes.length < this.#limit * 2) return;
    const dropped = this.#changes.splice(0, this.#limit);
    this.#floor = dropped.at(-1)?.revision ?? this.#floor;
  }

  /** The changes after a revision, oldest first. The caller has compared it with `floor`. */
  since(revision: number): readonly Change[] {
    let low = 0;
    let high = this.#changes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#changes[middle]?.revision ?? 0) > revision) high = middle;
      else low = middle + 1;
    }
    return this.#changes.slice(low);
  }
}
