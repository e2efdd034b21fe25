import { describe, expect, it } from 'vitest';
import { createKeyCache } from '../../../shared/auth/key-cache.ts';
import type { KeyDocument } from '../../../shared/auth/keys.ts';
import { StoreError, type DocumentKey, type DocumentStore, type StoredDocument } from '../../../shared/documents/port.ts';

/** A store of keys that counts its reads; nothing but `get` is asked of it. */
function countingStore(answer: (id: string) => KeyDocument | undefined): { readonly store: DocumentStore; readonly reads: string[] } {
  const reads: string[] = [];
  const refuse = (): never => {
    throw new Error('the cache only reads');
  };
  const store: DocumentStore = {
    get<T extends object>(key: DocumentKey): Promise<StoredDocument<T> | undefined> {
      reads.push(key.id);
      return new Promise((resolve) => {
        const data = answer(key.id);
        resolve(data === undefined ? undefined : { key, data: data as object as T, version: '1', updatedAt: new Date(0) });
      });
    },
    create: refuse,
    update: refuse,
    delete: refuse,
    query: refuse,
    transact: refuse,
    changes: refuse,
    close: () => Promise.resolve(),
  };
  return { store, reads };
}

const key = (id: string): KeyDocument => ({
  id,
  kind: 'user',
  user: 'alice',
  name: null,
  secret_hash: '',
  created_at: '',
  expires_at: null,
  revoked_at: null,
  purge_at: null,
});

describe('createKeyCache', () => {
  it('reads a key once for many requests, until it is four seconds old', async () => {
    const clock = { time: 0, now: () => new Date(clock.time) };
    const { store, reads } = countingStore(key);
    const cache = createKeyCache(store, clock);
    await Promise.all([cache.find('a'), cache.find('a'), cache.find('a')]);
    clock.time = 3_999;
    await cache.find('a');
    expect(reads).toEqual(['a']);
    clock.time = 4_000;
    await cache.find('a');
    expect(reads).toEqual(['a', 'a']);
  });

  it('remembers that there is no such key', async () => {
    const { store, reads } = countingStore(() => undefined);
    const cache = createKeyCache(store, { now: () => new Date(0) });
    expect([await cache.find('a'), await cache.find('a')]).toEqual([undefined, undefined]);
    expect(reads).toEqual(['a']);
  });

  it('does not remember a failure of the store', async () => {
    let away = true;
    const { store } = countingStore((id) => {
      if (away) throw new StoreError('unavailable', 'away');
      return key(id);
    });
    const cache = createKeyCache(store, { now: () => new Date(0) });
    await expect(cache.find('a')).rejects.toThrow('away');
    away = false;
    expect(await cache.find('a')).toMatchObject({ id: 'a' });
  });

  it('forgets a key that was revoked here', async () => {
    const { store, reads } = countingStore(key);
    const cache = createKeyCache(store, { now: () => new Date(0) });
    await cache.find('a');
    cache.forget('a');
    await cache.find('a');
    expect(reads).toEqual(['a', 'a']);
  });

  it('holds no more than its bound, and drops the oldest first', async () => {
    const { store, reads } = countingStore(key);
    const cache = createKeyCache(store, { now: () => new Date(0) }, { maxKeys: 2 });
    for (const id of ['a', 'b', 'c', 'b', 'c', 'a']) await cache.find(id);
    expect(reads).toEqual(['a', 'b', 'c', 'a']);
  });
});
