/**
 * The body of `PATCH /v1/sessions/{id}`. Fields that are left out stay as they are.
 *
 * @module
 */
import { z } from 'zod';
import { bounds, createSessionSchema, labelName } from './create-request.ts';

const { ttl_minutes, idle_timeout_minutes, name } = createSessionSchema.shape;

export const updateSessionSchema = z.strictObject({
  /** From now on. */
  ttl_minutes,
  idle_timeout_minutes: idle_timeout_minutes.nullable(),
  /** Those that are named; null takes one away. */
  labels: z
    .record(z.string().regex(labelName, 'a label name of letters, digits, _ and -'), z.string().max(63).nullable())
    .refine((labels) => Object.keys(labels).length <= 2 * bounds.labels, { message: `at most ${2 * bounds.labels} labels` })
    .optional(),
  name: name.nullable(),
});
