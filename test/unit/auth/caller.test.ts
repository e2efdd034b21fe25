import { describe, expect, it } from 'vitest';
import { accessOf, accessTo, assertAccess, type Caller, type Owned } from '../../../shared/auth/caller.ts';
import { AppError } from '../../../shared/errors/app-error.ts';

const callerOf = (kind: Caller['kind'], user: string | null): Caller => ({ keyId: 'k', kind, user, requestId: 'r' });

describe('what a user may do with what somebody owns', () => {
  const cases: readonly (readonly [string, Owned, string | undefined])[] = [
    ['everything with their own', { owner: 'bob' }, 'owner'],
    ['nothing with what is not shared', { owner: 'alice', grants: { carol: 'write' } }, undefined],
    ['what was granted', { owner: 'alice', grants: { bob: 'read' } }, 'read'],
    ['what was granted for the namespace', { owner: 'alice', within: { owner: 'alice', grants: { bob: 'write' } } }, 'write'],
    ['the more of both grants', { owner: 'alice', grants: { bob: 'read' }, within: { owner: 'alice', grants: { bob: 'write' } } }, 'write'],
    [
      'the more of both, the other way round',
      { owner: 'alice', grants: { bob: 'write' }, within: { owner: 'a', grants: { bob: 'read' } } },
      'write',
    ],
    ['use what others put into their namespace', { owner: 'alice', within: { owner: 'bob' } }, 'write'],
  ];
  for (const [what, owned, expected] of cases) {
    it(`is ${what}`, () => {
      expect(accessOf('bob', owned)).toBe(expected);
      expect(accessTo(callerOf('user', 'bob'), owned)).toBe(expected);
    });
  }

  it('is nothing by what every object has: a user may be called constructor', () => {
    expect(accessOf('constructor', { owner: 'alice', grants: {}, within: { owner: 'alice', grants: {} } })).toBeUndefined();
    expect(accessOf('__proto__', { owner: 'alice', grants: {} })).toBeUndefined();
  });

  it('is everything for a back end, which acts for anybody', () => {
    expect(accessTo(callerOf('service', null), { owner: 'alice' })).toBe('owner');
    expect(accessTo(callerOf('admin', 'root'), { owner: 'alice' })).toBe('owner');
  });
});

describe('assertAccess', () => {
  const outcome = (access: Parameters<typeof assertAccess>[0], needed: Parameters<typeof assertAccess>[1]): string => {
    try {
      assertAccess(access, needed, 'session "s"');
      return 'allowed';
    } catch (error) {
      return error instanceof AppError ? error.code : String(error);
    }
  };

  it('tells nobody of what they may not know of, and says what is missing to those who may look', () => {
    const table = (['owner', 'write', 'read', undefined] as const).map((access) =>
      (['owner', 'write', 'read'] as const).map((needed) => outcome(access, needed)),
    );
    expect(table).toEqual([
      ['allowed', 'allowed', 'allowed'],
      ['forbidden', 'allowed', 'allowed'],
      ['forbidden', 'forbidden', 'allowed'],
      ['not_found', 'not_found', 'not_found'],
    ]);
  });
});
