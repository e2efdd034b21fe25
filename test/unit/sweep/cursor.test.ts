import { describe, expect, it } from 'vitest';
import { isFullDue, noCursor, type CursorDocument } from '../../../shared/sweep/cursor.ts';
import { testNow } from '../../fakes/session-document.ts';

describe('comparing everything', () => {
  const seen: CursorDocument = { ...noCursor, versions: { pod: '7' }, full_at: '2026-03-01T11:30:00.000Z' };

  it('is due at first, and once the last time is an hour ago', () => {
    expect(isFullDue(noCursor, 3600, testNow)).toBe(true);
    expect(isFullDue(seen, 3600, testNow)).toBe(false);
    expect(isFullDue(seen, 1800, testNow)).toBe(true);
  });

  it('is due where nobody knows from where to follow the changes', () => {
    expect(isFullDue({ ...seen, versions: {} }, 3600, testNow)).toBe(true);
  });
});
