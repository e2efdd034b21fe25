import { describe, expect, it } from 'vitest';
import { grantKey, withGrant, withoutGrant } from '../../../shared/auth/grants.ts';

describe('grants', () => {
  it('are one per user, and the last one counts', () => {
    expect(withGrant(withGrant({}, 'alice', 'bob', 'write'), 'alice', 'bob', 'read')).toEqual({ bob: 'read' });
    expect(withoutGrant({ bob: 'read', carol: 'write' }, 'bob')).toEqual({ carol: 'write' });
    expect(withoutGrant({ carol: 'write' }, 'bob')).toEqual({ carol: 'write' });
  });

  it('are not for the owner, nor for names that no field can have', () => {
    expect(() => withGrant({}, 'alice', 'alice', 'read')).toThrow('is the owner');
    expect(() => withGrant({}, 'alice', '__proto__', 'read')).toThrow('two underscores');
  });

  it('are a hundred at most; one of them can still be changed then', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`user-${index}`, 'read' as const]));
    expect(() => withGrant(many, 'alice', 'bob', 'read')).toThrow('too_many_grants');
    expect(withGrant(many, 'alice', 'user-7', 'write')['user-7']).toBe('write');
  });

  it('have a key each: kind, thing and user are never taken for one another', () => {
    const keys = [
      grantKey('session', 's', 'u'),
      grantKey('volume', 's', 'u'),
      grantKey('session', 's\nu', ''),
      grantKey('session', 'su', ''),
    ];
    expect(new Set(keys.map(({ id }) => id)).size).toBe(4);
  });
});
