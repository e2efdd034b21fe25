import { describe, expect, it } from 'vitest';
import { isGone } from '../../../shared/documents/gone.ts';
import { testNow } from '../../fakes/session-document.ts';

describe('a document', () => {
  it('is gone from its time on', () => {
    expect(isGone({ purge_at: testNow.toISOString() }, testNow)).toBe(true);
    expect(isGone({ purge_at: testNow.toISOString() }, new Date(testNow.getTime() - 1))).toBe(false);
  });

  it('without a time stays', () => {
    expect(isGone({ purge_at: null }, testNow)).toBe(false);
    expect(isGone({}, testNow)).toBe(false);
  });
});
