/**
 * Buckets as the domains see them: made and removed, opened to the service account of a namespace, and looked into.
 *
 * Implementations: `folder-buckets.ts` (the embedded cluster, whose kubelet mounts the same folders) and `cloud-buckets.ts` (Cloud
 * Storage). Both keep their hands off buckets of other installations.
 *
 * @module
 */
import type { Readable } from 'node:stream';

export interface BucketOwner {
  readonly installation: string;
  /** Label-safe. */
  readonly userSlug: string;
  readonly volumeId: string;
  /** Of the volume, label-safe. */
  readonly incarnation: string;
}

/** `leftover`: an earlier volume of the same name had it, of that incarnation. */
export type EnsuredBucket = { readonly kind: 'ready' } | { readonly kind: 'leftover'; readonly incarnation: string };

/** The service account that pods of a namespace run as. */
export interface BucketReader {
  readonly k8sNamespace: string;
  readonly serviceAccount: string;
}

export interface StoredObject {
  readonly name: string;
  readonly sizeBytes: number;
  readonly updatedAt: Date;
}

export interface BucketStore {
  /**
   * Makes the bucket; one that is there already is fine if it is this volume's. Throws `BucketError` `taken` where it is another
   * installation's or nobody's, `refused` where it may not be made.
   */
  ensure(bucket: string, owner: BucketOwner, signal: AbortSignal): Promise<EnsuredBucket>;

  /** Whether there is such a bucket; `unknown` where that may not be looked at. */
  exists(bucket: string, signal: AbortSignal): Promise<boolean | 'unknown'>;

  /** Lets pods of that service account read and write the bucket's objects. Repeating it changes nothing. */
  grant(bucket: string, reader: BucketReader, signal: AbortSignal): Promise<void>;

  /** Takes that right back. */
  revoke(bucket: string, reader: BucketReader, signal: AbortSignal): Promise<void>;

  /**
   * Removes the bucket with everything in it, as far as it gets until the signal aborts; answers whether it is gone. A bucket that is not
   * this installation's, or a later volume's, is left alone and counts as gone.
   */
  remove(bucket: string, owner: Pick<BucketOwner, 'installation' | 'incarnation'>, signal: AbortSignal): Promise<boolean>;

  /** Up to `limit` objects whose names begin with the prefix, by name. */
  list(bucket: string, options: { readonly prefix?: string; readonly limit: number }): Promise<readonly StoredObject[]>;

  /** The content of one object. Throws `BucketError` `not_found`, also while it is read. */
  read(bucket: string, name: string): Readable;
}

export type BucketErrorCode = 'taken' | 'refused' | 'not_found' | 'unavailable';

/** `unavailable` may be tried again. */
export class BucketError extends Error {
  readonly code: BucketErrorCode;

  constructor(code: BucketErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BucketError';
    this.code = code;
  }
}
