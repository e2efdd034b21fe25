import { describe, expect, it } from 'vitest';
import { joinNamespace, leaveNamespace, mayRelease } from '../../../shared/namespaces/membership.ts';
import { testNow } from '../../fakes/session-document.ts';

const joining = { namespace: 'team', k8sNamespace: 'berth-team', user: 'alice', sessionId: 's1' };

describe('a namespace', () => {
  it('belongs to the first user who uses it', () => {
    const taken = joinNamespace(undefined, joining, testNow);
    expect(taken).toMatchObject({ owner: 'alice', state: 'active', sessions: { s1: true }, objects_digest: null });
    expect(() => joinNamespace(taken, { ...joining, user: 'bob', sessionId: 's2' }, testNow)).toThrow('namespace_taken');
  });

  it('lets its owner add sessions without building it again', () => {
    const first = { ...joinNamespace(undefined, joining, testNow), objects_digest: 'd' };
    expect(joinNamespace(first, { ...joining, sessionId: 's2' }, testNow)).toMatchObject({
      sessions: { s1: true, s2: true },
      objects_digest: 'd',
    });
  });

  it('changes hands once nobody needs it, and is then built anew', () => {
    const empty = leaveNamespace({ ...joinNamespace(undefined, joining, testNow), objects_digest: 'd' }, 's1', testNow);
    expect(empty).toMatchObject({ sessions: {}, emptied_at: testNow.toISOString() });
    expect(joinNamespace(empty, { ...joining, user: 'bob', sessionId: 's2' }, testNow)).toMatchObject({
      owner: 'bob',
      state: 'releasing',
      sessions: { s2: true },
      objects_digest: null,
    });
  });

  it('remembers that somebody else has had something in it, as long as it has its owner', () => {
    const own = joinNamespace(undefined, joining, testNow);
    expect(own).not.toHaveProperty('has_guests');
    const shared = joinNamespace(own, { ...joining, user: 'bob', sessionId: 's2', invited: true }, testNow);
    expect(shared).toMatchObject({ owner: 'alice', has_guests: true });
    expect(joinNamespace(shared, { ...joining, sessionId: 's3' }, testNow)).toMatchObject({ has_guests: true });
    const empty = { ...shared, sessions: {} };
    expect(joinNamespace(empty, { ...joining, user: 'carol' }, testNow)).not.toHaveProperty('has_guests');
  });

  it('is released when it has been empty for its linger, never while somebody needs it', () => {
    const used = joinNamespace(undefined, joining, testNow);
    const empty = leaveNamespace(used, 's1', testNow);
    const later = new Date(testNow.getTime() + 60_000);
    expect(mayRelease(used, 0, later)).toBe(false);
    expect(mayRelease(empty, 60, new Date(later.getTime() - 1))).toBe(false);
    expect(mayRelease(empty, 60, later)).toBe(true);
  });

  it('is left once: a second leaving does not restart its linger', () => {
    const empty = leaveNamespace(joinNamespace(undefined, joining, testNow), 's1', testNow);
    expect(leaveNamespace(empty, 's1', new Date(testNow.getTime() + 5000))).toBe(empty);
  });
});
