/**
 * Sharing: `/v1/{sessions|storage|namespaces}/{id}/grants`.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { SharedKind } from '../../auth/grants.ts';
import { AppError } from '../../errors/app-error.ts';
import { userSchema } from '../../sessions/create-request.ts';
import { accesses } from '../../storage/model.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { readJsonBody } from '../json-body.ts';
import { noQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { UserServices } from '../user-services.ts';

const tags = ['Sharing'];

const access = z.enum(accesses).openapi({
  description: '`read`: look, and mount read-only. `write`: use and change it. Deleting and sharing stay the owner’s.',
});
const grantSchema = z.object({ user: z.string(), access }).openapi('Grant');

const idParameter = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
  .openapi({ param: { name: 'id', in: 'path' } });

const request = z.strictObject({ access: access.default('write') }).openapi('PutGrant');

/** The four routes of one kind of thing. */
function routesOf(plural: string, name: string, what: string) {
  const path = `/v1/${plural}/{id}/grants`;
  const one = { params: z.object({ id: idParameter, user: userSchema }), query: noQuery };
  return {
    list: createRoute({
      method: 'get',
      path,
      operationId: `list${name}Grants`,
      summary: `With whom a ${what} is shared`,
      description: 'Its owner sees all of them, anybody else their own.',
      tags,
      security,
      request: { params: z.object({ id: idParameter }), query: noQuery },
      responses: { 200: json(z.object({ grants: z.array(grantSchema), next_cursor: z.null() }), 'All of them, by user.'), ...problems },
    }),
    get: createRoute({
      method: 'get',
      path: `${path}/{user}`,
      operationId: `get${name}Grant`,
      summary: `What a user may do with a ${what}`,
      tags,
      security,
      request: one,
      responses: { 200: json(grantSchema, 'The grant.'), ...problems },
    }),
    put: createRoute({
      method: 'put',
      path: `${path}/{user}`,
      operationId: `put${name}Grant`,
      summary: `Share a ${what} with a user`,
      description: 'For its owner, whose user type has to allow sharing (`not_entitled` else).',
      tags,
      security,
      middleware: [readJsonBody()] as const,
      request: { ...one, ...jsonBody(request) },
      responses: { 200: json(grantSchema, 'The grant.'), ...problems },
    }),
    remove: createRoute({
      method: 'delete',
      path: `${path}/{user}`,
      operationId: `delete${name}Grant`,
      summary: `Share a ${what} with a user no longer`,
      description: 'For its owner, and for the user it is shared with. What was not granted is not an error.',
      tags,
      security,
      request: one,
      responses: { 200: json(z.object({ deleted: z.literal(true) }), 'It is withdrawn.'), ...problems },
    }),
  };
}

type GrantRoutes = ReturnType<typeof routesOf>;

const byKind: Readonly<Record<SharedKind, GrantRoutes>> = {
  session: routesOf('sessions', 'Session', 'session'),
  volume: routesOf('storage', 'Volume', 'volume'),
  namespace: routesOf('namespaces', 'Namespace', 'namespace'),
};

export const grantRoutes = Object.fromEntries(
  Object.entries(byKind).flatMap(([kind, routes]) => Object.entries(routes).map(([action, route]) => [`${kind}.${action}`, route])),
);

export function mountGrants(app: App, services: UserServices): void {
  for (const kind of ['session', 'volume', 'namespace'] as const) mountKind(app, services, kind, byKind[kind]);
}

function mountKind(app: App, services: UserServices, kind: SharedKind, routes: GrantRoutes): void {
  app.openapi(routes.list, async (c) => {
    const grants = await services.listGrants(callerOf(c), kind, c.req.valid('param').id);
    return c.json({ grants: [...grants], next_cursor: null }, 200);
  });

  app.openapi(routes.get, async (c) => {
    const { id, user } = c.req.valid('param');
    const grant = (await services.listGrants(callerOf(c), kind, id)).find((granted) => granted.user === user);
    if (grant === undefined) throw new AppError('not_found', `The ${kind} "${id}" is not shared with a user "${user}".`);
    return c.json(grant, 200);
  });

  app.openapi(routes.put, async (c) => {
    const { id, user } = c.req.valid('param');
    return c.json(await services.putGrant(callerOf(c), kind, id, { user, access: c.req.valid('json').access }), 200);
  });

  app.openapi(routes.remove, async (c) => {
    const { id, user } = c.req.valid('param');
    await services.deleteGrant(callerOf(c), kind, id, user);
    return c.json({ deleted: true } as const, 200);
  });
}
