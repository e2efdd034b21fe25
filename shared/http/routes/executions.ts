/**
 * `POST /v1/sessions/{id}/execute`: one command, answered in the same request.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { executeSchema, executionEnds } from '../../exec/execute-request.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { readJsonBody } from '../json-body.ts';
import { idParameter, noQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';

export const executionSchema = z
  .object({
    success: z.boolean().openapi({ description: 'The command ended by itself with 0.' }),
    stdout: z.string(),
    stderr: z.string(),
    returncode: z.int().openapi({ description: '-1 where nobody knows it.' }),
    output: z.string().openapi({ description: 'stdout, then stderr.' }),
    end: z.enum(executionEnds),
    duration_ms: z.number(),
    truncated: z.boolean(),
    timed_out: z.boolean(),
  })
  .openapi('Execution');

export const executeBody = executeSchema.meta({ id: 'Execute' });

const execute = createRoute({
  method: 'post',
  path: '/v1/sessions/{id}/execute',
  operationId: 'execute',
  summary: 'Run a command in a session',
  tags: ['Executions'],
  security,
  middleware: [readJsonBody()] as const,
  request: { params: idParameter, query: noQuery, ...jsonBody(executeBody) },
  responses: { 200: json(executionSchema, 'How the command ended, also where it failed.'), ...problems },
});

export const executionRoutes = { execute };

export function mountExecutions(app: App, services: Services): void {
  app.openapi(execute, async (c) => {
    const result = await services.execute(callerOf(c), c.req.valid('param').id, c.req.valid('json'), c.req.raw.signal);
    return c.json(result, 200);
  });
}
