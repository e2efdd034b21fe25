/**
 * Key documents as they were a moment ago.
 *
 * @module
 */
import type { Clock } from '../clock.ts';
import type { DocumentStore } from '../documents/port.ts';
import { findKey, type KeyDocument } from './keys.ts';
import { createRecent, type Recent } from './recent.ts';

/** By id; `undefined` where there is no such key. Throws `StoreError`. */
export type KeyCache = Recent<KeyDocument | undefined>;

export interface KeyCacheOptions {
  /** How late another instance may notice a revocation. */
  readonly maxAgeMs?: number;
  readonly maxKeys?: number;
}

export function createKeyCache(store: DocumentStore, clock: Clock, { maxAgeMs, maxKeys }: KeyCacheOptions = {}): KeyCache {
  return createRecent((id) => findKey(store, id), clock, {
    ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
    ...(maxKeys === undefined ? {} : { maxEntries: maxKeys }),
  });
}
