/**
 * How answers are described: JSON of a schema, or a problem document.
 *
 * @module
 */
import { z } from '@hono/zod-openapi';
import { catalog, type ErrorCode } from '../errors/catalog.ts';
import { problemContentType } from './problem.ts';

const errorCodes = Object.keys(catalog) as [ErrorCode, ...ErrorCode[]];

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().openapi({ description: 'What happened, and what to do.' }),
    code: z.enum(errorCodes).openapi({ description: 'Stable; what programs act on.' }),
    retryable: z.boolean().openapi({ description: 'The same request may succeed later, and sending it again does no harm.' }),
    remediation: z.string(),
    request_id: z.string(),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .openapi({ description: 'Which fields are wrong, by their path as the caller writes it.' }),
  })
  .openapi('Problem');

export function json<S extends z.ZodType>(schema: S, description: string) {
  return { description, content: { 'application/json': { schema } } };
}

export function jsonBody<S extends z.ZodType>(schema: S) {
  return { body: { required: true, content: { 'application/json': { schema } } } } as const;
}

/** Every route can fail in ways of its own; `code` says which. */
export const problems = {
  default: { description: 'An error.', content: { [problemContentType]: { schema: problemSchema } } },
} as const;

export const security = [{ apiKey: [] }, { bearer: [] }];
