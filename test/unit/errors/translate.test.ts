import { describe, expect, it } from 'vitest';
import { StoreError, type StoreErrorCode } from '../../../shared/documents/port.ts';
import { AppError } from '../../../shared/errors/app-error.ts';
import { catalog, type CatalogEntry } from '../../../shared/errors/catalog.ts';
import { toAppError } from '../../../shared/errors/translate.ts';
import { TaskError } from '../../../shared/tasks/port.ts';

describe('toAppError', () => {
  it('hands an AppError on as it is', () => {
    const error = new AppError('not_found', 'gone');
    expect(toAppError(error)).toBe(error);
  });

  const store: readonly (readonly [StoreErrorCode, string])[] = [
    ['unavailable', 'store_unavailable'],
    ['contended', 'store_unavailable'],
    ['conflict', 'conflict'],
    ['already_exists', 'conflict'],
    ['invalid_cursor', 'invalid_cursor'],
    ['too_large', 'payload_too_large'],
    ['invalid_argument', 'internal'],
  ];
  for (const [code, expected] of store) {
    it(`makes ${expected} of the store's ${code}`, () => {
      const cause = new StoreError(code, 'at 10.0.0.1');
      expect(toAppError(cause)).toMatchObject({ code: expected, cause });
      expect(toAppError(cause).detail).not.toContain('10.0.0.1');
    });
  }

  it('makes queue_unavailable of an unreachable queue, and internal of a task that is wrong', () => {
    expect(toAppError(new TaskError('unavailable', 'x')).code).toBe('queue_unavailable');
    expect(toAppError(new TaskError('invalid_argument', 'x')).code).toBe('internal');
  });

  it('makes internal of anything else, whose words stay inside', () => {
    for (const thrown of [new TypeError('secret'), 'secret', { message: 'secret' }]) {
      const error = toAppError(thrown);
      expect(error).toMatchObject({ code: 'internal', cause: thrown });
      expect(error.detail).not.toContain('secret');
    }
  });
});

describe('the catalog', () => {
  it('calls retryable only what may pass by itself, and never what a caller got wrong', () => {
    const entries: readonly CatalogEntry[] = Object.values(catalog);
    const callersFault = new Set([400, 401, 403, 404, 405, 413, 422, 501]);
    expect(entries.filter(({ status, retryable }) => retryable && callersFault.has(status))).toEqual([]);
    expect(entries.filter(({ status, retryable }) => !retryable && status === 503)).toEqual([]);
  });

  it('has a remedy and a title for everything', () => {
    for (const { title, remediation } of Object.values(catalog)) {
      expect(title).toMatch(/^[A-Z].*[^.]$/);
      expect(remediation).toMatch(/^[A-Z].*\.$/);
    }
  });
});
