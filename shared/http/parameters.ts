/**
 * Parameters of paths, queries and headers, as many routes share them.
 *
 * @module
 */
import { z } from '@hono/zod-openapi';
import { bounds, labelName } from '../sessions/create-request.ts';

/** For routes that take no query at all: an unknown parameter is a mistake, and says so. */
export const noQuery = z.strictObject({});

export const idParameter = z.object({
  id: z
    .string()
    .regex(/^[0-9a-z]{1,63}$/)
    .openapi({ param: { name: 'id', in: 'path' }, description: 'Id of the session.', example: '0c9t5m3x6k8q2w7r4v1n0b5d9f' }),
});

/** A query's integer: digits and nothing else, so that `1e3` or an empty value is refused instead of guessed at. */
export function integer(minimum: number, maximum: number, description: string, example?: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, 'must be an integer')
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, { message: `must be ${String(minimum)} to ${String(maximum)}` })
    .openapi({ type: 'integer', minimum, maximum, description, ...(example === undefined ? {} : { example }) });
}

/** `?wait=` of what takes its time; the answer tells how far it came. */
export function waitQuery(what: string) {
  const { default: usual, largest } = bounds.waitSeconds;
  return integer(0, largest, `Seconds to wait ${what}, ${String(usual)} by default; 0 answers at once.`).optional();
}

export function booleanText(description: string) {
  return z
    .enum(['true', 'false'])
    .transform((value) => value === 'true')
    .openapi({ type: 'boolean', description });
}

/** `limit` and `cursor` of every list. */
export const pageQuery = {
  limit: integer(1, bounds.listPage.largest, `How many, ${String(bounds.listPage.default)} by default.`).optional(),
  cursor: z.string().min(1).max(2_048).optional().openapi({ description: '`next_cursor` of the page before, with the same filters.' }),
};

/** `name:value`, as in `?label=team:a`. */
const label = z
  .string()
  .max(130)
  .regex(/^[^:]+:/, { abort: true, error: 'must be name:value, such as team:a' })
  .refine((pair) => labelName.test(pair.slice(0, pair.indexOf(':'))), { message: 'has a name that no label can have' });

export const labelQuery = z
  .union([label, z.array(label).max(bounds.labels)])
  .optional()
  .openapi({
    type: 'array',
    items: { type: 'string' },
    description: 'Only those with this label, written `name:value`. May be repeated; all must match.',
    example: ['team:a'],
  });

export function parseLabels(given: string | readonly string[] | undefined): Record<string, string> {
  const pairs = typeof given === 'string' ? [given] : (given ?? []);
  // Names were checked by the schema, so none is `__proto__`.
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf(':')), pair.slice(pair.indexOf(':') + 1)]));
}

export const idempotencyHeader = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .optional()
    .openapi({
      description: 'Makes a repeated request answer what the first one did, for 24 hours. Another body with the same key is refused.',
    }),
});
