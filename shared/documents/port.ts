/**
 * The document store as the domains see it: small JSON documents in named collections, compare-and-swap on a version,
 * queries with a cursor, one all-or-nothing transaction over named documents, and a feed of changes. The top-level field `purge_at`, null
 * or a time, tells when a document may go by itself: Firestore deletes it within a day of that (TTL), so readers look at it too.
 *
 * Implementations: `sqlite.ts` (one file, laptop) and `firestore.ts` (production). Both pass `test/contract/documents.test.ts`.
 *
 * @module
 */

/** A JSON value. Times are RFC 3339 UTC strings with milliseconds, so that their order as strings is their order in time. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Where a document lies. `id` is 1 to 200 characters of `[A-Za-z0-9_.:@-]`, and not `.` or `..`. */
export interface DocumentKey {
  readonly collection: string;
  readonly id: string;
}

/** A document as it was read. `version` is opaque and differs after every write; `updatedAt` is the store's own clock. */
export interface StoredDocument<T> {
  readonly key: DocumentKey;
  readonly data: T;
  readonly version: string;
  readonly updatedAt: Date;
}

/**
 * One condition of a query. A path with dots reaches into nested objects (`labels.team`). It compares with strings, numbers and
 * booleans (`==` also with null) and finds values of the same type only; `in` takes a list of 1 to 30. A range (`<`, `>=`, …) has to be
 * on the path of `orderBy`: so Firestore can answer it from an index.
 */
export interface Condition {
  readonly path: string;
  readonly operator: '==' | '<' | '<=' | '>' | '>=' | 'in';
  readonly value: Json;
}

export interface Query {
  readonly where?: readonly Condition[];
  /** By scalars. Ties are broken by document id in the same direction. Without it documents come in the order of their ids. */
  readonly orderBy?: { readonly path: string; readonly direction: 'ascending' | 'descending' };
  /** 1 to 1,000 documents a page. */
  readonly limit: number;
  /** `nextCursor` of the page before. A cursor of another query or of garbage is refused with `invalid_cursor`. */
  readonly cursor?: string;
}

export interface Page<T> {
  readonly documents: readonly StoredDocument<T>[];
  /** Absent on the last page. */
  readonly nextCursor?: string;
}

/** One write of a transaction. `create` fails the whole transaction with `already_exists`; `set` creates or replaces; `delete` of nothing is fine. */
export type Write =
  | { readonly type: 'create' | 'set'; readonly key: DocumentKey; readonly data: object }
  | { readonly type: 'delete'; readonly key: DocumentKey };

/** What the callback of `transact` decides: what to write, and what to answer to the caller. No writes is a plain consistent read. */
export interface Decision<R> {
  readonly writes: readonly Write[];
  readonly result: R;
}

/** A change as the feed reports it; `document` is absent where the document was deleted. At least once, in order per document. */
export interface Change<T> {
  readonly key: DocumentKey;
  readonly document?: StoredDocument<T>;
}

export interface DocumentStore {
  /** The document, or `undefined` where there is none. */
  get<T extends object>(key: DocumentKey): Promise<StoredDocument<T> | undefined>;

  /** Writes a new document. Throws `StoreError` `already_exists`. */
  create<T extends object>(key: DocumentKey, data: T): Promise<StoredDocument<T>>;

  /** Replaces the document if it still has that version. Throws `StoreError` `conflict` (another version, or gone). */
  update<T extends object>(key: DocumentKey, data: T, version: string): Promise<StoredDocument<T>>;

  /** Deletes the document; deleting nothing is fine. With a version: throws `conflict` where the document has another one. */
  delete(key: DocumentKey, version?: string): Promise<void>;

  query<T extends object>(collection: string, query: Query): Promise<Page<T>>;

  /**
   * Reads the named documents, lets the pure synchronous callback decide, and commits its writes only if none of what was read has
   * changed meanwhile; else reads and decides again, with jitter, within the implementation's bound, then throws `contended`.
   * The callback may run several times. Writes may only name keys that were read. At most 100 keys. What the callback throws is thrown on.
   */
  transact<R>(
    keys: readonly DocumentKey[],
    decide: (documents: readonly (StoredDocument<object> | undefined)[]) => Decision<R>,
  ): Promise<R>;

  /**
   * Changes of a collection that were committed after the call, until the signal aborts. Survives lost connections by itself. A document
   * that changes faster than the feed is read is reported with its last state. Firestore reads the whole collection once at the start,
   * and a deletion before that has arrived is not seen.
   */
  changes<T extends object>(collection: string, signal: AbortSignal): AsyncIterable<Change<T>>;

  close(): Promise<void>;
}

export type StoreErrorCode =
  | 'already_exists'
  | 'conflict'
  | 'contended'
  | 'invalid_cursor'
  | 'invalid_argument'
  | 'too_large'
  | 'unavailable';

/** A refusal or failure of the store. `unavailable` and `contended` may be tried again: nothing was written. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}
