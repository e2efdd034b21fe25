/**
 * `GET /v1/templates`: what a session can be made from.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { json, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { noQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';

const templateSchema = z
  .object({ id: z.string(), description: z.string(), image: z.string(), start_deadline_seconds: z.number() })
  .openapi('Template');

const list = createRoute({
  method: 'get',
  path: '/v1/templates',
  operationId: 'listTemplates',
  summary: 'List templates',
  tags: ['Templates'],
  security,
  request: { query: noQuery },
  responses: { 200: json(z.object({ templates: z.array(templateSchema), next_cursor: z.null() }), 'All of them.'), ...problems },
});

export const templateRoutes = { list };

export function mountTemplates(app: App, services: Services): void {
  app.openapi(list, async (c) => {
    const templates = await services.listTemplates(callerOf(c));
    return c.json(
      {
        templates: templates.map(({ id, description, image, start_deadline_seconds }) => ({
          id,
          description,
          image,
          start_deadline_seconds,
        })),
        next_cursor: null,
      },
      200,
    );
  });
}
