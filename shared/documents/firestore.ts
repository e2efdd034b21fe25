/**
 * The document store on Firestore. Every write is a compare-and-swap by preconditions on update times: Firestore's own transactions lock
 * what they read, and a conflict costs them seconds.
 *
 * A document that a transaction read and does not write is guarded by a write that changes nothing: deleting a field that no document
 * has (or, where there is no document, deleting what must not exist). It carries the precondition, and Firestore leaves the update
 * time of an unchanged document alone
 * (https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#writeresult).
 *
 * @module
 */
import type { CollectionReference, DocumentReference, DocumentSnapshot, Firestore, Timestamp, WriteBatch } from '@google-cloud/firestore';
import { checkCollection, checkKey, checkKeys, checkWrites, encodeDocument, keyText } from './check.ts';
import { toPage } from './cursor.ts';
import { listen } from './firestore-changes.ts';
import { extendTrail, fromSnapshot, newWriteId, parseVersion, type StoredRead, toFields, toStored } from './firestore-document.ts';
import { toStoreError, withTimeout } from './firestore-errors.ts';
import { toFirestoreQuery } from './firestore-query.ts';
import { persist } from './firestore-retry.ts';
import { createKeyedQueue, type KeyedQueue } from './keyed-queue.ts';
import {
  type Change,
  type Decision,
  type DocumentKey,
  type DocumentStore,
  type Page,
  type Query,
  StoreError,
  type StoredDocument,
  type Write,
} from './port.ts';

/** No document has it; deleting it is a write that changes nothing. */
const GUARD_FIELD = '_berth_guard';

const CLOSE_TIMEOUT_MS = 3_000;

export interface FirestoreOptions {
  readonly projectId: string;
  /** `(default)` where absent. */
  readonly databaseId?: string;
  /** Before the name of every collection, so that several stores can share a database. */
  readonly collectionPrefix?: string;
  /** One call to Firestore, in milliseconds; 15 s where absent. */
  readonly timeoutMs?: number;
  /** How long a write is tried again, in milliseconds; 30 s where absent. */
  readonly retryMs?: number;
  /** How far this machine's clock may be ahead of Firestore's, in milliseconds, before a feed could miss a change; 1 s where absent. */
  readonly clockSkewMs?: number;
}

type Sdk = typeof import('@google-cloud/firestore');

class FirestoreStore implements DocumentStore {
  readonly #sdk: Sdk;
  readonly #firestore: Firestore;
  readonly #prefix: string;
  readonly #timeoutMs: number;
  readonly #retryMs: number;
  readonly #clockSkewMs: number;
  readonly #inLine: KeyedQueue = createKeyedQueue();
  readonly #closed = new AbortController();
  #lastWrite: Timestamp | undefined;

  constructor(sdk: Sdk, options: FirestoreOptions) {
    this.#sdk = sdk;
    this.#firestore = new sdk.Firestore({
      projectId: options.projectId,
      ignoreUndefinedProperties: true,
      ...(options.databaseId !== undefined && { databaseId: options.databaseId }),
    });
    this.#prefix = options.collectionPrefix ?? '';
    this.#timeoutMs = options.timeoutMs ?? 15_000;
    this.#retryMs = options.retryMs ?? 30_000;
    this.#clockSkewMs = options.clockSkewMs ?? 1_000;
  }

  async get<T extends object>(key: DocumentKey): Promise<StoredDocument<T> | undefined> {
    checkKey(key);
    const [read] = await this.#read([key]);
    return read?.document as StoredDocument<T> | undefined;
  }

  async create<T extends object>(key: DocumentKey, data: T): Promise<StoredDocument<T>> {
    const json = encodeDocument(key, data);
    const trail = extendTrail(newWriteId(), []);
    const batch = (): WriteBatch => this.#firestore.batch().create(this.#reference(key), toFields(json, trail, this.#sdk.Timestamp));
    return persist(
      {
        attempt: async (commit) => toStored<T>(key, json, await commit(this.#commit(batch())), trail),
        look: async () => {
          const [read] = await this.#read([key]);
          if (read?.document === undefined) return undefined;
          const written = ownWrite<T>(key, json, trail, read);
          if (written === undefined) throw new StoreError('already_exists', `${keyText(key)} exists already`);
          return { done: written };
        },
      },
      this.#retryMs,
    );
  }

  async update<T extends object>(key: DocumentKey, data: T, version: string): Promise<StoredDocument<T>> {
    const json = encodeDocument(key, data);
    const base = parseVersion(version);
    const conflict = new StoreError('conflict', `${keyText(key)} has changed`);
    if (base === undefined) throw conflict;
    const baseTime = new this.#sdk.Timestamp(base.seconds, base.nanoseconds);
    const trail = extendTrail(newWriteId(), base.trail);
    return persist(
      {
        attempt: async (commit) => {
          const batch = this.#firestore.batch();
          this.#guard(batch, key, baseTime);
          batch.set(this.#reference(key), toFields(json, trail, this.#sdk.Timestamp));
          return toStored<T>(key, json, await commit(this.#commit(batch)), trail);
        },
        look: async () => {
          const [read] = await this.#read([key]);
          const written = read && ownWrite<T>(key, json, trail, read);
          if (written !== undefined) return { done: written };
          if (!read?.updateTime?.isEqual(baseTime)) throw conflict;
          return undefined;
        },
      },
      this.#retryMs,
    );
  }

  async delete(key: DocumentKey, version?: string): Promise<void> {
    checkKey(key);
    const base = version === undefined ? undefined : parseVersion(version);
    const time = base && new this.#sdk.Timestamp(base.seconds, base.nanoseconds);
    // A text that is no version is refused by a time that no document has.
    const precondition = version === undefined ? {} : { lastUpdateTime: time ?? new this.#sdk.Timestamp(0, 0) };
    await persist<void>(
      {
        attempt: async (commit) => void (await commit(this.#commit(this.#firestore.batch().delete(this.#reference(key), precondition)))),
        look: async () => {
          const [read] = await this.#read([key]);
          if (read?.updateTime === undefined) return { done: undefined };
          if (version !== undefined && (time === undefined || !read.updateTime.isEqual(time))) {
            throw new StoreError('conflict', `${keyText(key)} has changed`);
          }
          return undefined;
        },
      },
      this.#retryMs,
    );
  }

  async query<T extends object>(collection: string, query: Query): Promise<Page<T>> {
    checkCollection(collection);
    const found = toFirestoreQuery(this.#sdk, this.#collection(collection), collection, query);
    const { docs } = await this.#call(found.get());
    const documents = docs
      .map((doc) => fromSnapshot({ collection, id: doc.id }, doc).document)
      .filter((document) => document !== undefined);
    return toPage(collection, query, documents as StoredDocument<T>[]);
  }

  /** Transactions with the same first key run in line within this process: side by side they would only fail each other. */
  async transact<R>(
    keys: readonly DocumentKey[],
    decide: (documents: readonly (StoredDocument<object> | undefined)[]) => Decision<R>,
  ): Promise<R> {
    checkKeys(keys);
    const [first] = keys;
    if (first === undefined) return decide([]).result;
    const end = Date.now() + this.#retryMs;
    return this.#inLine(keyText(first), () => {
      if (Date.now() > end) throw new StoreError('contended', `Too many transactions wait for ${keyText(first)}`);
      return this.#transact(keys, decide);
    });
  }

  async #transact<R>(
    keys: readonly DocumentKey[],
    decide: (documents: readonly (StoredDocument<object> | undefined)[]) => Decision<R>,
  ): Promise<R> {
    let reads = await this.#read(keys);
    /** What each attempt would have answered, by its write id: one whose answer was lost may turn out to have been made. */
    const attempts = new Map<string, R>();
    return persist(
      {
        attempt: async (commit) => {
          const { writes, result } = decide(reads.map(({ document }) => document));
          checkWrites(keys, writes);
          if (writes.length === 0) return result;
          const writeId = newWriteId();
          const batch = this.#batch(keys, reads, writes, writeId);
          attempts.set(writeId, result);
          await commit(this.#commit(batch));
          return result;
        },
        look: async () => {
          reads = await this.#read(keys);
          const own = reads.flatMap(({ trail }) => trail).find((id) => attempts.has(id));
          return own === undefined ? undefined : { done: attempts.get(own) as R };
        },
      },
      this.#retryMs,
    );
  }

  changes<T extends object>(collection: string, signal: AbortSignal): AsyncIterable<Change<T>> {
    checkCollection(collection);
    return listen<T>({
      collection,
      reference: this.#collection(collection),
      since: Date.now() - this.#clockSkewMs,
      after: this.#lastWrite,
      signal: AbortSignal.any([signal, this.#closed.signal]),
    });
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    // The library waits for calls that nobody waits for any more, for minutes where Firestore does not answer.
    await withTimeout(this.#firestore.terminate(), CLOSE_TIMEOUT_MS).catch(() => undefined);
  }

  #collection(collection: string): CollectionReference {
    return this.#firestore.collection(`${this.#prefix}${collection}`);
  }

  #reference(key: DocumentKey): DocumentReference {
    return this.#collection(key.collection).doc(key.id);
  }

  async #call<R>(call: Promise<R>): Promise<R> {
    try {
      return await withTimeout(call, this.#timeoutMs);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** All as they were at one time: Firestore's read of many documents is consistent. */
  async #read(keys: readonly DocumentKey[]): Promise<readonly StoredRead[]> {
    if (keys.length === 0) return [];
    const snapshots: DocumentSnapshot[] = await this.#call(this.#firestore.getAll(...keys.map((key) => this.#reference(key))));
    return snapshots.map((snapshot, index) => fromSnapshot(keys[index] as DocumentKey, snapshot));
  }

  /** The update time of what was written. Errors are the library's own. */
  async #commit(batch: WriteBatch): Promise<Timestamp> {
    const results = await withTimeout(batch.commit(), this.#timeoutMs);
    const written = results.at(-1)?.writeTime ?? this.#sdk.Timestamp.fromMillis(0);
    if (this.#lastWrite === undefined || written.valueOf() > this.#lastWrite.valueOf()) this.#lastWrite = written;
    return written;
  }

  /** Makes the batch fail unless the document has this update time, or does not exist where there is none. */
  #guard(batch: WriteBatch, key: DocumentKey, updateTime: Timestamp | undefined): void {
    if (updateTime === undefined) batch.delete(this.#reference(key), { exists: false });
    else batch.update(this.#reference(key), { [GUARD_FIELD]: this.#sdk.FieldValue.delete() }, { lastUpdateTime: updateTime });
  }

  #batch(keys: readonly DocumentKey[], reads: readonly StoredRead[], writes: readonly Write[], writeId: string): WriteBatch {
    const batch = this.#firestore.batch();
    const read = new Map(keys.map((key, index) => [keyText(key), reads[index]]));
    keys.forEach((key, index) => this.#guard(batch, key, reads[index]?.updateTime));
    for (const write of writes) {
      const before = read.get(keyText(write.key));
      if (write.type === 'delete') batch.delete(this.#reference(write.key));
      else if (write.type === 'create' && before?.document !== undefined)
        throw new StoreError('already_exists', `${keyText(write.key)} exists already`);
      else
        batch.set(
          this.#reference(write.key),
          toFields(encodeDocument(write.key, write.data), extendTrail(writeId, before?.trail ?? []), this.#sdk.Timestamp),
        );
    }
    return batch;
  }
}

/**
 * The document that our own write made, where the answer to it was lost. Where others have changed it since, its version is one that
 * nothing has any more, as it should be.
 */
function ownWrite<T>(key: DocumentKey, json: string, trail: readonly string[], read: StoredRead): StoredDocument<T> | undefined {
  const [writeId] = trail;
  if (writeId === undefined || read.updateTime === undefined || read.document === undefined || !read.trail.includes(writeId))
    return undefined;
  if (read.trail[0] === writeId) return read.document as StoredDocument<T>;
  return { ...toStored<T>(key, json, read.updateTime, trail), version: `0.${'0'.repeat(9)}` };
}

/**
 * The document store in a Firestore database. The library finds the credentials, or the emulator, by itself; it is loaded here, because
 * loading it costs a cold start half a second.
 */
export async function openFirestore(options: FirestoreOptions): Promise<DocumentStore> {
  return new FirestoreStore(await import('@google-cloud/firestore'), options);
}
