/**
 * `/v1/namespaces`: the groupings that callers own.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { json, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { noQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';

const tags = ['Namespaces'];

const namespaceSchema = z
  .object({
    namespace: z.string(),
    owner: z.string(),
    k8s_namespace: z.string(),
    sessions: z.int(),
    created_at: z.string().openapi({ format: 'date-time' }),
  })
  .openapi('Namespace');

const list = createRoute({
  method: 'get',
  path: '/v1/namespaces',
  operationId: 'listNamespaces',
  summary: 'List namespaces',
  tags,
  security,
  request: { query: noQuery },
  responses: { 200: json(z.object({ namespaces: z.array(namespaceSchema), next_cursor: z.null() }), 'All of them.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/namespaces/{name}',
  operationId: 'deleteNamespace',
  summary: 'Give up a namespace that no session needs',
  tags,
  security,
  request: { params: z.object({ name: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/) }), query: noQuery },
  responses: { 200: json(z.object({ deleted: z.literal(true) }), 'It ends now, or has ended.'), ...problems },
});

export const namespaceRoutes = { list, remove };

export function mountNamespaces(app: App, services: Services): void {
  app.openapi(list, async (c) => {
    const namespaces = await services.listNamespaces(callerOf(c));
    return c.json(
      {
        namespaces: namespaces.map(({ namespace, owner, k8s_namespace, sessions, created_at }) => ({
          namespace,
          owner,
          k8s_namespace,
          sessions,
          created_at,
        })),
        next_cursor: null,
      },
      200,
    );
  });

  app.openapi(remove, async (c) => {
    await services.deleteNamespace(callerOf(c), c.req.valid('param').name);
    return c.json({ deleted: true } as const, 200);
  });
}
