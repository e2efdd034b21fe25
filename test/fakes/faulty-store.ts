/**
 * A document store far away: calls take time, somebody else writes in between, now and then it does not answer. Tells an observer of every
 * write that was committed, at the moment it was.
 */
import { StoreError, type DocumentKey, type DocumentStore, type Write } from '../../shared/documents/port.ts';
import type { Chance, Network } from './fake-clock-network.ts';

export interface StoreFaults {
  /** How often a call fails with nothing done. */
  readonly unavailable: number;
  /** How often another write comes between reading a document and writing it. */
  readonly conflict: number;
}

export interface Commit {
  readonly key: DocumentKey;
  readonly before: object | undefined;
  readonly after: object | undefined;
}

export interface FaultyStoreOptions {
  readonly inner: DocumentStore;
  readonly network: Network;
  readonly chance: Chance;
  readonly faults: () => StoreFaults;
  /** All writes of one commit together. */
  readonly onCommit: (commits: readonly Commit[]) => void;
  readonly onFault: (kind: 'store conflict' | 'store unavailable') => void;
}

export function createFaultyStore(options: FaultyStoreOptions): DocumentStore {
  const { inner, network } = options;
  const present = new Map<string, object>();
  const textOf = (key: DocumentKey): string => `${key.collection}/${key.id}`;
  const commit = (writes: readonly { readonly key: DocumentKey; readonly after: object | undefined }[]): void => {
    const commits = writes.map(({ key, after }) => ({ key, before: present.get(textOf(key)), after }));
    for (const { key, after } of commits) {
      if (after === undefined) present.delete(textOf(key));
      else present.set(textOf(key), after);
    }
    if (commits.length > 0) options.onCommit(commits);
  };
  const call = <T>(effect: () => Promise<T>): Promise<T> => {
    if (options.chance() >= options.faults().unavailable) return network.call(effect);
    return network.call(effect, { before: () => unavailable(options) });
  };
  /** What another process does to the same document: nothing that changes its meaning, but its version. */
  const touch = async (key: DocumentKey): Promise<void> => {
    if (options.chance() >= options.faults().conflict) return;
    const stored = await inner.get(key);
    if (stored !== undefined) await inner.update(key, stored.data, stored.version);
  };
  const conflicting = async <T>(effect: () => Promise<T>): Promise<T> => {
    try {
      return await effect();
    } catch (error) {
      if (error instanceof StoreError && error.code === 'conflict') options.onFault('store conflict');
      throw error;
    }
  };
  return {
    get: (key) => call(() => inner.get(key)),
    query: (collection, query) => call(() => inner.query(collection, query)),
    create: (key, data) =>
      call(async () => {
        const stored = await inner.create(key, data);
        commit([{ key, after: data }]);
        return stored;
      }),
    update: (key, data, version) =>
      call(() =>
        conflicting(async () => {
          await touch(key);
          const stored = await inner.update(key, data, version);
          commit([{ key, after: data }]);
          return stored;
        }),
      ),
    delete: (key, version) =>
      call(() =>
        conflicting(async () => {
          if (version !== undefined) await touch(key);
          await inner.delete(key, version);
          commit([{ key, after: undefined }]);
        }),
      ),
    transact: (keys, decide) =>
      call(async () => {
        for (const key of keys) await touch(key);
        let writes: readonly Write[] = [];
        const result = await inner.transact(keys, (documents) => {
          const decision = decide(documents);
          ({ writes } = decision);
          return decision;
        });
        commit(writes.map((write) => ({ key: write.key, after: write.type === 'delete' ? undefined : write.data })));
        return result;
      }),
    changes: (collection, signal) => inner.changes(collection, signal),
    close: () => inner.close(),
  };
}

function unavailable({ onFault }: FaultyStoreOptions): StoreError {
  onFault('store unavailable');
  return new StoreError('unavailable', 'The store does not answer (injected)');
}
