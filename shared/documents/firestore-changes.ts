/**
 * The change feed of the Firestore store: one listener on the collection. What was there before is read once, at the start, and not
 * reported; that is Firestore's price for being told of deletions, too. A deletion before that first read has arrived is not seen.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { CollectionReference, DocumentSnapshot, QuerySnapshot, Timestamp } from '@google-cloud/firestore';
import { fromSnapshot } from './firestore-document.ts';
import { classify, toStoreError } from './firestore-errors.ts';
import type { Change } from './port.ts';

const RECONNECT_MS = 1_000;

export interface FeedOptions {
  readonly collection: string;
  readonly reference: CollectionReference;
  /** Reports what was written at this time or later, in milliseconds since 1970 by Firestore's clock. */
  readonly since: number;
  /** The last write known to lie before: told exactly, where the clocks tell only roughly. */
  readonly after: Timestamp | undefined;
  readonly signal: AbortSignal;
}

/** What was seen and not yet taken; a document that changes twice meanwhile is there once, with its last state. */
class Backlog {
  readonly #changes = new Map<string, Change<object>>();
  #wake: () => void = () => undefined;

  put(change: Change<object>): void {
    this.#changes.delete(change.key.id);
    this.#changes.set(change.key.id, change);
    this.#wake();
  }

  take(): readonly Change<object>[] {
    const taken = [...this.#changes.values()];
    this.#changes.clear();
    return taken;
  }

  /** Resolves when there is something to take, and at `wake`. */
  async wait(): Promise<void> {
    if (this.#changes.size > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  wake(): void {
    this.#wake();
  }
}

class Listener {
  readonly backlog = new Backlog();
  failure: unknown;
  readonly #options: FeedOptions;
  /** Every document of the collection with its update time: after a reconnection it tells what was missed. */
  readonly #known = new Map<string, Timestamp | undefined>();
  #unsubscribe: () => void = () => undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    options.signal.addEventListener('abort', () => this.#stop(), { once: true });
    this.#connect();
  }

  #connect(): void {
    if (this.#options.signal.aborted) return;
    let complete = false;
    this.#unsubscribe = this.#options.reference.onSnapshot(
      (snapshot) => {
        if (complete) this.#follow(snapshot);
        else this.#compare(snapshot);
        complete = true;
      },
      (error) => void this.#lost(error),
    );
  }

  #follow(snapshot: QuerySnapshot): void {
    for (const { type, doc } of snapshot.docChanges()) {
      if (type === 'removed') this.#report(doc.id, undefined);
      else this.#take(doc);
    }
  }

  /** The first snapshot of a connection holds the whole collection. */
  #compare(snapshot: QuerySnapshot): void {
    const present = new Set(snapshot.docs.map((doc) => doc.id));
    for (const id of [...this.#known.keys()]) if (!present.has(id)) this.#report(id, undefined);
    for (const doc of snapshot.docs) this.#take(doc);
  }

  /** What is not news is only noted. A connection may tell of an old document late, after its first snapshot, or for the first time. */
  #take(doc: DocumentSnapshot): void {
    const known = this.#known.get(doc.id);
    const isNews = known === undefined ? this.#isLater(doc.updateTime) : doc.updateTime?.isEqual(known) === false;
    if (isNews) this.#report(doc.id, doc);
    else this.#known.set(doc.id, doc.updateTime);
  }

  #isLater(time: Timestamp | undefined): boolean {
    const { since, after } = this.#options;
    return time !== undefined && time.toMillis() >= since && (after === undefined || time.valueOf() > after.valueOf());
  }

  #report(id: string, doc: DocumentSnapshot | undefined): void {
    const key = { collection: this.#options.collection, id };
    const document = doc && fromSnapshot(key, doc).document;
    if (document === undefined) {
      this.#known.delete(id);
      this.backlog.put({ key });
    } else {
      this.#known.set(id, doc?.updateTime);
      this.backlog.put({ key, document });
    }
  }

  /** The library reconnects by itself after most losses and reports only what it has given up. */
  async #lost(error: unknown): Promise<void> {
    if (classify(error) === 'final') {
      this.failure = error;
      this.backlog.wake();
      return;
    }
    await delay(RECONNECT_MS * (0.5 + Math.random()));
    this.#connect();
  }

  #stop(): void {
    this.#unsubscribe();
    this.backlog.wake();
  }
}

/** Listens from now on, also before the first change is asked for. Throws `StoreError` where Firestore refuses for good. */
export function listen<T extends object>(options: FeedOptions): AsyncIterable<Change<T>> {
  return drain<T>(new Listener(options), options.signal);
}

async function* drain<T extends object>(listener: Listener, signal: AbortSignal): AsyncGenerator<Change<T>> {
  while (!signal.aborted) {
    if (listener.failure !== undefined) throw toStoreError(listener.failure);
    for (const change of listener.backlog.take()) {
      if (signal.aborted) return;
      yield change as Change<T>;
    }
    if (!signal.aborted) await listener.backlog.wait();
  }
}
