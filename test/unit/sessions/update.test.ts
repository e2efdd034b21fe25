import { describe, expect, it } from 'vitest';
import { AppError } from '../../../shared/errors/app-error.ts';
import { applyUpdate, type SessionUpdate, type TtlLimits } from '../../../shared/sessions/update.ts';
import type { SessionDocument } from '../../../shared/sessions/model.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';

const by = { by: 'alice', key_id: 'k2', request_id: 'r2' };

const day: TtlLimits = { admitted: 1440, longer: 1440 };

function update(session: SessionDocument, change: SessionUpdate, limits = day): SessionDocument {
  return applyUpdate(session, change, limits, testNow, by);
}

function refusal(session: SessionDocument, change: SessionUpdate, limits = day): unknown {
  try {
    return update(session, change, limits);
  } catch (error) {
    return error instanceof AppError ? { code: error.code, errors: error.errors } : error;
  }
}

describe('an update of a session', () => {
  it('counts ttl_minutes from now, so it makes the life shorter, too', () => {
    const longer = update(sessionDocument(), { ttl_minutes: 120 });
    expect(longer).toMatchObject({ ttl_minutes: 120, expires_at: '2026-03-01T14:00:00.000Z', due_at: '2026-03-01T14:00:00.000Z' });
    expect(longer.history.at(-1)).toMatchObject({ type: 'extended' });
    expect(update(sessionDocument(), { ttl_minutes: 1 }).expires_at).toBe('2026-03-01T12:01:00.000Z');
  });

  it('refuses more than the owner may have, naming the limit', () => {
    expect(refusal(sessionDocument(), { ttl_minutes: 1441 })).toEqual({
      code: 'quota_exceeded',
      errors: [{ path: 'ttl_minutes', message: 'at most 1440' }],
    });
  });

  it('gives an owner whose limits were lowered no more than they have now, and takes away as they like', () => {
    const lowered: TtlLimits = { admitted: 1440, longer: 90 };
    const session = sessionDocument({ expires_at: '2026-03-01T15:00:00.000Z' });
    expect(refusal(session, { ttl_minutes: 181 }, lowered)).toEqual({
      code: 'quota_exceeded',
      errors: [{ path: 'ttl_minutes', message: 'at most 90' }],
    });
    expect(update(session, { ttl_minutes: 179 }, lowered).expires_at).toBe('2026-03-01T14:59:00.000Z');
    expect(update(sessionDocument(), { ttl_minutes: 90 }, lowered).expires_at).toBe('2026-03-01T13:30:00.000Z');
  });

  it('refuses more than its pod can live, which a session without a pod does not care about', () => {
    // Asked for at 11:59 for 24 hours: 1,439 minutes are left.
    expect(refusal(sessionDocument(), { ttl_minutes: 1440 })).toEqual({
      code: 'quota_exceeded',
      errors: [{ path: 'ttl_minutes', message: 'at most 1439' }],
    });
    expect(update(sessionDocument({ status: 'stopped' }), { ttl_minutes: 1440 }).expires_at).toBe('2026-03-02T12:00:00.000Z');
  });

  it('sets and clears the idle timeout, and with it when to look', () => {
    const idle = update(sessionDocument(), { idle_timeout_minutes: 5 });
    expect(idle).toMatchObject({ idle_timeout_minutes: 5, due_at: '2026-03-01T12:05:00.000Z' });
    expect(update(idle, { idle_timeout_minutes: null })).toMatchObject({ idle_timeout_minutes: null, due_at: idle.expires_at });
  });

  it('merges labels, and takes away those that are null', () => {
    const labelled = sessionDocument({ labels: { a: '1', b: '2' } });
    expect(update(labelled, { labels: { b: null, c: '3' } }).labels).toEqual({ a: '1', c: '3' });
  });

  it('refuses more labels than a session may have, with those that it has', () => {
    const full = Object.fromEntries(Array.from({ length: 32 }, (_, index) => [`l${index}`, '']));
    expect(refusal(sessionDocument({ labels: full }), { labels: { one: 'more' } })).toMatchObject({ code: 'validation_failed' });
    expect(update(sessionDocument({ labels: full }), { labels: { one: 'more', l0: null } }).labels).toHaveProperty('one');
  });

  it('leaves what it does not name, and says who changed it', () => {
    const before = sessionDocument({ name: 'a', labels: { a: '1' } });
    expect(update(before, { name: null })).toEqual({
      ...before,
      name: null,
      updated_at: testNow.toISOString(),
      last_change: by,
    });
  });

  it('is refused once the session ends', () => {
    for (const status of ['terminating', 'terminated'] as const) {
      expect(refusal(sessionDocument({ status }), { name: 'x' })).toMatchObject({ code: 'invalid_state' });
    }
  });
});
