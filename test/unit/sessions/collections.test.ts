import { describe, expect, it } from 'vitest';
import { userKey } from '../../../shared/sessions/collections.ts';

describe('userKey', () => {
  it('takes a plain name as it is', () => {
    expect(userKey('alice@example.com').id).toBe('alice@example.com');
  });

  it('hashes what no document may be called, and never makes two users one', () => {
    const users = ['a+b', 'a b', '__x__', '.', '..', '.x', 'a/b'];
    const ids = users.map((user) => userKey(user).id);
    for (const id of ids) expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(new Set(ids).size).toBe(users.length);
    expect(userKey(ids[0] ?? '').id).not.toBe(ids[0]);
  });
});
