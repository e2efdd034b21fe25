/**
 * The blob store in a Cloud Storage bucket. The library finds the credentials, or the emulator (`STORAGE_EMULATOR_HOST`), by itself; it
 * is loaded with the first call, because loading it costs a cold start a third of a second.
 *
 * @module
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Bucket, File, FileMetadata } from '@google-cloud/storage';
import { startDeadline } from '../deadline.ts';
import { abortable } from './abortable.ts';
import {
  checkContentType,
  checkFolder,
  checkLimit,
  checkName,
  checkPrefix,
  decodeCursor,
  DEFAULT_CONTENT_TYPE,
  encodeCursor,
  resolveRange,
} from './check.ts';
import {
  type Blob,
  type BlobBody,
  BlobError,
  type BlobErrorCode,
  type BlobPage,
  type BlobStat,
  type BlobStore,
  type GetOptions,
  type ListOptions,
  type PutOptions,
} from './port.ts';

export interface CloudStorageOptions {
  readonly bucket: string;
  readonly project?: string;
  /** One call that moves no body, in milliseconds; 15 s where absent. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 15_000;
const DELETE_PAGE = 500;
const DELETES_AT_ONCE = 10;
/** What a resumable upload holds in memory, for sending it again; a multiple of 256 KiB. */
const CHUNK_BYTES = 4 * 1024 * 1024;

class CloudStorageBlobs implements BlobStore {
  readonly #options: CloudStorageOptions;
  #bucket: Promise<Bucket> | undefined;

  constructor(options: CloudStorageOptions) {
    this.#options = options;
  }

  async put(name: string, body: BlobBody, { contentType, ifAbsent, signal }: PutOptions = {}): Promise<BlobStat> {
    checkName(name);
    const type = checkContentType(contentType);
    signal?.throwIfAborted();
    const file = (await this.#open()).file(name);
    // A body at hand goes in one request; one that streams in parts, of which each is sent again where it was lost.
    const resumable = !(body instanceof Uint8Array);
    const target = file.createWriteStream({
      resumable,
      ...(resumable && { chunkSize: CHUNK_BYTES }),
      contentType: type,
      validation: 'crc32c',
      ...(ifAbsent === true && { preconditionOpts: { ifGenerationMatch: 0 } }),
    });
    try {
      await pipeline(Readable.from(abortable(body, signal), { objectMode: false }), target, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw toBlobError(error, name);
    }
    return toStat(name, file.metadata);
  }

  async get(name: string, options: GetOptions = {}): Promise<Blob> {
    checkName(name);
    const bucket = await this.#open();
    // The second time, because another version may have taken the place of the one that was looked at.
    const blob = (await this.#read(bucket, name, options)) ?? (await this.#read(bucket, name, options));
    if (blob === undefined) throw notFound(name);
    return blob;
  }

  /** `undefined` where the version that the metadata told of was gone when its body was asked for. */
  async #read(bucket: Bucket, name: string, { range, signal }: GetOptions): Promise<Blob | undefined> {
    const metadata = await this.#metadata(bucket.file(name), signal);
    if (metadata === undefined) throw notFound(name);
    const stat = toStat(name, metadata);
    const { start, end } = resolveRange(range, stat.size);
    if (start >= end) return { stat, body: emptyBody() };
    // The generation pins the bytes to the version that `stat` tells of.
    const file = bucket.file(name, metadata.generation === undefined ? {} : { generation: metadata.generation });
    const whole = start === 0 && end === stat.size;
    const source = file.createReadStream({ decompress: false, ...(whole ? {} : { start, end: end - 1, validation: false }) });
    const chunks = abortable(source, signal);
    try {
      const first = await chunks.next();
      return { stat, body: webStream(source, first, chunks, name, signal) };
    } catch (error) {
      source.destroy();
      signal?.throwIfAborted();
      const fault = toBlobError(error, name);
      if (fault instanceof BlobError && fault.code === 'not_found') return undefined;
      throw fault;
    }
  }

  async stat(name: string, signal?: AbortSignal): Promise<BlobStat | undefined> {
    checkName(name);
    const metadata = await this.#metadata((await this.#open()).file(name), signal);
    return metadata && toStat(name, metadata);
  }

  async list(prefix: string, { limit, cursor, signal }: ListOptions): Promise<BlobPage> {
    checkPrefix(prefix);
    checkLimit(limit);
    const after = decodeCursor(prefix, cursor);
    const found = await this.#page(prefix, after, limit + 1, signal);
    const blobs = found.slice(0, limit).map((file) => toStat(file.name, file.metadata));
    const last = blobs.at(-1);
    return found.length > limit && last !== undefined ? { blobs, nextCursor: encodeCursor(prefix, last.name) } : { blobs };
  }

  async delete(name: string, signal?: AbortSignal): Promise<void> {
    checkName(name);
    const file = (await this.#open()).file(name);
    await this.#call(() => file.delete({ ignoreNotFound: true }), signal, name);
  }

  async deletePrefix(prefix: string, signal?: AbortSignal): Promise<number> {
    checkFolder(prefix);
    let deleted = 0;
    for (;;) {
      const page = await this.#page(prefix, undefined, DELETE_PAGE, signal);
      if (page.length === 0) return deleted;
      for (let at = 0; at < page.length; at += DELETES_AT_ONCE) {
        const some = page.slice(at, at + DELETES_AT_ONCE);
        await Promise.all(some.map((file) => this.delete(file.name, signal)));
      }
      deleted += page.length;
    }
  }

  async close(): Promise<void> {}

  #open(): Promise<Bucket> {
    this.#bucket ??= connect(this.#options).catch((error: unknown) => {
      this.#bucket = undefined;
      throw error;
    });
    return this.#bucket;
  }

  /** `startOffset` includes the name that the page before ended with, so one more is asked for and that one is left out. */
  async #page(prefix: string, after: string | undefined, count: number, signal: AbortSignal | undefined): Promise<readonly File[]> {
    const bucket = await this.#open();
    const query = {
      prefix,
      autoPaginate: false,
      maxResults: after === undefined ? count : count + 1,
      ...(after !== undefined && { startOffset: after }),
    };
    const [files] = await this.#call(() => bucket.getFiles(query), signal, prefix);
    return files.filter((file) => file.name !== after).slice(0, count);
  }

  async #metadata(file: File, signal: AbortSignal | undefined): Promise<FileMetadata | undefined> {
    try {
      const [metadata] = await this.#call(() => file.getMetadata(), signal, file.name);
      return metadata;
    } catch (error) {
      if (error instanceof BlobError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  /** The library's calls know no signal: an aborted one is not waited for. */
  async #call<R>(call: () => Promise<R>, signal: AbortSignal | undefined, name: string): Promise<R> {
    signal?.throwIfAborted();
    using deadline = startDeadline(this.#options.timeoutMs ?? TIMEOUT_MS, signal);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const onAbort = (): void => reject(deadline.signal.reason);
    deadline.signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await Promise.race([call(), aborted]);
    } catch (error) {
      signal?.throwIfAborted();
      throw toBlobError(error, name);
    } finally {
      deadline.signal.removeEventListener('abort', onAbort);
    }
  }
}

async function connect({ bucket, project }: CloudStorageOptions): Promise<Bucket> {
  const { Storage } = await import('@google-cloud/storage');
  const storage = new Storage({
    ...(project === undefined ? {} : { projectId: project }),
    // Repeated are reads, and writes that a condition makes safe.
    retryOptions: { maxRetries: 4, totalTimeout: 30 },
  });
  return storage.bucket(bucket);
}

function toStat(name: string, { size, contentType, updated, timeCreated }: FileMetadata): BlobStat {
  return {
    name,
    size: Number(size ?? 0),
    contentType: contentType ?? DEFAULT_CONTENT_TYPE,
    updatedAt: new Date(updated ?? timeCreated ?? 0),
  };
}

function emptyBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** From the first chunk on. Reads ahead no more than the library does; cancelling it closes the connection. */
function webStream(
  source: Readable,
  first: IteratorResult<Uint8Array>,
  chunks: AsyncGenerator<Uint8Array>,
  name: string,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  let ahead: IteratorResult<Uint8Array> | undefined = first;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = ahead ?? (await chunks.next());
          ahead = undefined;
          if (next.done === true) controller.close();
          else controller.enqueue(new Uint8Array(next.value));
        } catch (error) {
          source.destroy();
          controller.error(signal?.aborted === true ? signal.reason : toBlobError(error, name));
        }
      },
      cancel: () => {
        source.destroy();
        // It holds a listener on the signal until it ends.
        void chunks.return(undefined).catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

function notFound(name: string, cause?: unknown): BlobError {
  return new BlobError('not_found', `There is no blob ${name}`, { cause });
}

const codes: Readonly<Record<number, BlobErrorCode>> = { 404: 'not_found', 412: 'already_exists' };

function toBlobError(error: unknown, name: string): unknown {
  if (error instanceof BlobError) return error;
  const status = error instanceof Error && 'code' in error ? Number(error.code) : Number.NaN;
  const code = codes[status];
  if (code === 'already_exists') return new BlobError(code, `There is a blob ${name}`, { cause: error });
  if (code === 'not_found') return notFound(name, error);
  // What is neither the library's nor the network's came from the body itself.
  if (Number.isNaN(status) && !isNetworkError(error)) return error;
  return new BlobError('unavailable', `Cloud Storage: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

function isNetworkError(error: unknown): boolean {
  return error instanceof Error && ('code' in error || error.name === 'TimeoutError' || error.name === 'FetchError');
}

/** Connects with the first call. */
export function openCloudStorageBlobs(options: CloudStorageOptions): BlobStore {
  return new CloudStorageBlobs(options);
}
