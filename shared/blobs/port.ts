/**
 * The blob store as the domains see it: bytes under names, for what does not fit a document. Blobs are written whole and never changed;
 * writing a name again replaces its blob at once.
 *
 * A name is 1 to 512 bytes of UTF-8: parts of 1 to 64 bytes, separated by single slashes; no part is `.` or `..`, and none holds a
 * control character. Names are ordered by their bytes.
 *
 * Implementations: `folder.ts` (laptop) and `cloud-storage.ts` (production). Both pass `test/contract/blobs.test.ts`.
 *
 * @module
 */
export interface BlobStat {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  readonly contentType: string;
  readonly updatedAt: Date;
}

/** Bytes at hand, or as they come: a stream is read only as fast as it is written. */
export type BlobBody = Uint8Array | AsyncIterable<Uint8Array>;

export interface PutOptions {
  /** `application/octet-stream` where absent. 1 to 128 visible ASCII characters and spaces. */
  readonly contentType?: string;
  /** Throws `already_exists` instead of replacing a blob; where an answer was lost on the way, that may be the caller's own. */
  readonly ifAbsent?: boolean;
  readonly signal?: AbortSignal;
}

export interface GetOptions {
  /** From byte `start`, `length` bytes at most or to the end. A range at or behind the end holds no bytes. */
  readonly range?: { readonly start: number; readonly length?: number };
  readonly signal?: AbortSignal;
}

export interface Blob {
  /** Of the whole blob, whatever the range. */
  readonly stat: BlobStat;
  /** Not reading it to its end holds a connection or a file open: cancel it instead. Ends with `BlobError` where the store fails. */
  readonly body: ReadableStream<Uint8Array>;
}

export interface ListOptions {
  /** 1 to 1,000. */
  readonly limit: number;
  /** `nextCursor` of the page before, with the same prefix. */
  readonly cursor?: string;
  readonly signal?: AbortSignal;
}

export interface BlobPage {
  readonly blobs: readonly BlobStat[];
  /** Absent on the last page. */
  readonly nextCursor?: string;
}

export interface BlobStore {
  /** The blob is there whole when this resolves, and not at all where it rejects: with what the body throws, or the signal's reason. */
  put(name: string, body: BlobBody, options?: PutOptions): Promise<BlobStat>;

  /** Throws `not_found`. The bytes are those of one version, also where the blob is replaced meanwhile. */
  get(name: string, options?: GetOptions): Promise<Blob>;

  /** `undefined` where there is none. */
  stat(name: string, signal?: AbortSignal): Promise<BlobStat | undefined>;

  /** Blobs whose name begins with the prefix, which may be empty or end within a part; in the order of their names. */
  list(prefix: string, options: ListOptions): Promise<BlobPage>;

  /** Deleting nothing is fine. */
  delete(name: string, signal?: AbortSignal): Promise<void>;

  /** Deletes every blob below `prefix`, which ends in a slash, and answers how many. What is written meanwhile may stay. */
  deletePrefix(prefix: string, signal?: AbortSignal): Promise<number>;

  close(): Promise<void>;
}

export type BlobErrorCode = 'not_found' | 'already_exists' | 'invalid_argument' | 'invalid_cursor' | 'unavailable';

/** A refusal or failure of the store. `unavailable` may be tried again. */
export class BlobError extends Error {
  readonly code: BlobErrorCode;

  constructor(code: BlobErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BlobError';
    this.code = code;
  }
}
