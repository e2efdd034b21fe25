import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { validationError } from '../../../shared/http/validation.ts';

function errorsOf(schema: z.ZodType, value: unknown): readonly { path: string; message: string }[] {
  const result = schema.safeParse(value);
  if (result.success) throw new Error('it is valid');
  return validationError('The body', result.error.issues).errors;
}

describe('validationError', () => {
  const cases: readonly (readonly [string, z.ZodType, unknown, string, string])[] = [
    ['a missing field', z.object({ a: z.string() }), {}, 'a', 'must be a string'],
    ['a wrong type', z.object({ a: z.array(z.string()) }), { a: 'x' }, 'a', 'must be an array'],
    ['an element', z.object({ a: z.array(z.object({ b: z.number() })) }), { a: [{ b: 1 }, { b: '1' }] }, 'a[1].b', 'must be a number'],
    ['an integer', z.object({ a: z.int() }), { a: '1' }, 'a', 'must be a number'],
    ['a fraction', z.object({ a: z.int() }), { a: 1.5 }, 'a', 'must be an integer'],
    ['a choice', z.object({ a: z.enum(['x', 'y']) }), { a: 'z' }, 'a', 'must be "x" or "y"'],
    ['a record', z.object({ a: z.record(z.string(), z.string()) }), { a: 'x' }, 'a', 'must be an object'],
    [
      'a key of a record',
      z.object({ a: z.record(z.string().regex(/^x/, 'starts with x'), z.string()) }),
      { a: { 'y-z': '1' } },
      'a.y-z',
      'starts with x',
    ],
    ['an unknown field', z.object({ a: z.strictObject({}) }), { a: { b: 1 } }, 'a.b', 'is not known here; leave it out'],
    ['none of two forms', z.object({ a: z.union([z.string(), z.array(z.string())]) }), { a: 1 }, 'a', 'must be string or array'],
    [
      'one of two forms with a fault',
      z.object({ a: z.union([z.string().min(3, 'too short'), z.array(z.string())]) }),
      { a: 'x' },
      'a',
      'too short',
    ],
    [
      'a fault deep in one of two forms',
      z.object({ a: z.union([z.string(), z.array(z.string())]) }),
      { a: ['x', 1] },
      'a[1]',
      'must be a string',
    ],
    ['the value itself', z.strictObject({}), 'x', '', 'must be an object'],
  ];
  for (const [what, schema, value, path, message] of cases) {
    it(`names ${what}`, () => {
      expect(errorsOf(schema, value)).toEqual([{ path, message }]);
    });
  }

  it('puts the first fault into the detail', () => {
    const { error } = z.object({ a: z.string() }).safeParse({});
    expect(validationError('The query', error?.issues ?? []).detail).toBe('The query is not valid: a: must be a string.');
  });

  it('cuts long paths and long lists', () => {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`${'x'.repeat(300)}${String(index)}`, 1]));
    const errors = errorsOf(z.strictObject({}), many);
    expect(errors).toHaveLength(20);
    expect(errors[0]?.path).toHaveLength(201);
  });
});
