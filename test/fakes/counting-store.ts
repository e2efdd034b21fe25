/**
 * A store that counts what is read, as Firestore bills it: each document of an answer, and one for an answer without any
 * (https://cloud.google.com/firestore/pricing#minimum-query).
 */
import type { DocumentStore } from '../../shared/documents/port.ts';

export interface CountingStore extends DocumentStore {
  /** Documents read since the last call. */
  takeReads(): number;
}

export function countReads(inner: DocumentStore): CountingStore {
  let reads = 0;
  return {
    takeReads: () => {
      const taken = reads;
      reads = 0;
      return taken;
    },
    get: (key) => {
      reads += 1;
      return inner.get(key);
    },
    query: async (collection, query) => {
      const page = await inner.query<never>(collection, query);
      reads += Math.max(1, page.documents.length);
      return page;
    },
    transact: (keys, decide) => {
      reads += keys.length;
      return inner.transact(keys, decide);
    },
    create: (key, data) => inner.create(key, data),
    update: (key, data, version) => inner.update(key, data, version),
    delete: (key, version) => inner.delete(key, version),
    changes: (collection, signal) => inner.changes(collection, signal),
    close: () => inner.close(),
  };
}
