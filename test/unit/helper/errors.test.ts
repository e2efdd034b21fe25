import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, problemError, problemOf } from '../../../shared/helper/errors.ts';

// Any code points, halves of surrogate pairs among them.
const anyText = fc.array(fc.integer({ min: 0, max: 0x10_ff_ff }), { maxLength: 600 }).map((points) => String.fromCodePoint(...points));

describe('problemError', () => {
  it.each([
    [404, 'not_found', 'not_found'],
    [409, 'not_empty', 'conflict'],
    [410, 'gone', 'not_found'],
    [413, 'too_large', 'payload_too_large'],
    [429, 'too_many', 'too_many_executions'],
    [403, 'denied', 'forbidden'],
    [507, 'no_space', 'payload_too_large'],
    [500, 'internal', 'helper_protocol_error'],
  ])('tells %i %s as %s', (status, code, expected) => {
    const error = problemError(status, JSON.stringify({ code, detail: 'because' }));
    expect(error.code).toBe(expected);
    expect(error.detail).toMatch(/: because$/);
    expect(problemOf(error)).toBe(code);
  });

  it('goes by the status where a newer helper says more than is known here', () => {
    expect(problemOf(problemError(409, '{"code":"sealed"}'))).toBe('conflict');
  });

  it('repeats nothing of what is no problem', () => {
    for (const text of ['', '<html>', '[]', '{"detail":7}', '"x"', '['.repeat(60_000)]) {
      const error = problemError(404, text);
      expect(error).toMatchObject({ code: 'helper_protocol_error', detail: 'The helper in the pod answered 404 without saying why.' });
    }
    expect(problemError(200, '{"code":"not_found"}').code).toBe('helper_protocol_error');
  });
});

describe('printable', () => {
  it('leaves one line of at most 500 characters that no terminal acts on', () => {
    expect(printable('a\u001B[31m\r\nb\u202Ec\u0000')).toBe('a [31m b c');
    expect(printable('x'.repeat(10_000))).toHaveLength(500);
    fc.assert(
      fc.property(anyText, (text) => {
        const line = printable(text);
        expect(line.length <= 500 && !/\p{C}/u.test(line)).toBe(true);
      }),
    );
  });
});
