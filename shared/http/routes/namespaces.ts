/**
 * `/v1/namespaces`: the groupings that callers own.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { bounds, userSchema } from '../../sessions/create-request.ts';
import { json, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { withoutUndefined } from '../defined.ts';
import { booleanText, noQuery, pageQuery } from '../parameters.ts';
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
  request: {
    query: z.strictObject({
      user: userSchema.optional(),
      shared: booleanText('In place of your own: those that others share with you.').optional(),
      ...pageQuery,
    }),
  },
  responses: {
    200: json(z.object({ namespaces: z.array(namespaceSchema), next_cursor: z.string().nullable() }), 'A page of namespaces.'),
    ...problems,
  },
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
    const { limit = bounds.listPage.default, ...filters } = c.req.valid('query');
    const { namespaces, nextCursor } = await services.listNamespaces(callerOf(c), { limit, ...withoutUndefined(filters) });
    return c.json(
      {
        namespaces: namespaces.map(({ namespace, owner, k8s_namespace, sessions, created_at }) => ({
          namespace,
          owner,
          k8s_namespace,
          sessions,
          created_at,
        })),
        next_cursor: nextCursor,
      },
      200,
    );
  });

  app.openapi(remove, async (c) => {
    await services.deleteNamespace(callerOf(c), c.req.valid('param').name);
    return c.json({ deleted: true } as const, 200);
  });
}
