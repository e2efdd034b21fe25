/**
 * Key documents as they were a moment ago, so that not every request reads the store.
 *
 * @module
 */
import type { Clock } from '../clock.ts';
import type { DocumentStore } from '../documents/port.ts';
import { findKey, type KeyDocument } from './keys.ts';

export interface KeyCache {
  /** The document of that id, at most `maxAgeMs` old. Throws `StoreError`, which is not remembered. */
  find(id: string): Promise<KeyDocument | undefined>;
  forget(id: string): void;
}

export interface KeyCacheOptions {
  /** How late another instance may notice a revocation. */
  readonly maxAgeMs?: number;
  readonly maxKeys?: number;
}

interface Entry {
  readonly document: Promise<KeyDocument | undefined>;
  readonly until: number;
}

/** Unknown ids are remembered as well: trying them in a loop costs the store no more than using one key does. */
export function createKeyCache(store: DocumentStore, clock: Clock, { maxAgeMs = 4_000, maxKeys = 1_000 }: KeyCacheOptions = {}): KeyCache {
  const entries = new Map<string, Entry>();

  function read(id: string, now: number): Promise<KeyDocument | undefined> {
    const entry: Entry = { document: findKey(store, id), until: now + maxAgeMs };
    // Behind the newest, so that the oldest is the first.
    entries.delete(id);
    entries.set(id, entry);
    for (const oldest of entries.keys()) {
      if (entries.size <= maxKeys) break;
      entries.delete(oldest);
    }
    entry.document.catch(() => {
      if (entries.get(id) === entry) entries.delete(id);
    });
    return entry.document;
  }

  return {
    find(id) {
      const now = clock.now().getTime();
      const entry = entries.get(id);
      return entry !== undefined && now < entry.until ? entry.document : read(id, now);
    },
    forget(id) {
      entries.delete(id);
    },
  };
}
