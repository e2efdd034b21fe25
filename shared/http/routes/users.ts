/**
 * `/v1/users`: types and limits of users, what they may hold and what they hold.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { KeyCache } from '../../auth/key-cache.ts';
import type { Recent } from '../../auth/recent.ts';
import { definedLimits, limitsSchema } from '../../config-users.ts';
import { userTypes, type UserDocument } from '../../entitlements/model.ts';
import { bounds } from '../../sessions/create-request.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { readJsonBody } from '../json-body.ts';
import { booleanText, noQuery, pageQuery } from '../parameters.ts';
import { assertKind, callerOf } from '../require-caller.ts';
import type { UserServices } from '../user-services.ts';
import { entitlementsAnswer, entitlementsSchema, usageSchema, userAnswer, userAnswerSchema } from '../user-answer.ts';

const tags = ['Users'];

/** Longer than a person's name: `conversation:` and its id are users, too. */
const userParameter = z.object({
  id: z
    .string()
    .min(1)
    .max(bounds.userCharacters + 32)
    .regex(/^\P{Cc}+$/u, 'no control characters')
    .openapi({ param: { name: 'id', in: 'path' }, description: 'Name of the user.', example: 'alice' }),
});

const list = createRoute({
  method: 'get',
  path: '/v1/users',
  operationId: 'listUsers',
  summary: 'List users',
  description: 'Needs a key of kind `admin`. A user is listed from the first session, volume or limit on.',
  tags,
  security,
  request: { query: z.strictObject({ type: z.enum(userTypes).optional(), ...pageQuery }) },
  responses: {
    200: json(z.object({ users: z.array(userAnswerSchema), next_cursor: z.string().nullable() }), 'A page of users.'),
    ...problems,
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/users/{id}',
  operationId: 'getUser',
  summary: 'Read a user',
  description: 'Every name is a user: one that was never heard of has the default type. A key of kind `user` reads its own alone.',
  tags,
  security,
  request: { params: userParameter, query: noQuery },
  responses: { 200: json(userAnswerSchema, 'The user.'), ...problems },
});

const entitlements = createRoute({
  method: 'get',
  path: '/v1/users/{id}/entitlements',
  operationId: 'getEntitlements',
  summary: 'What a user may hold',
  tags,
  security,
  request: { params: userParameter, query: noQuery },
  responses: { 200: json(entitlementsSchema, 'The limits, after the configuration’s and the user’s own values.'), ...problems },
});

const usage = createRoute({
  method: 'get',
  path: '/v1/users/{id}/usage',
  operationId: 'getUsage',
  summary: 'What a user holds now',
  tags,
  security,
  request: { params: userParameter, query: noQuery },
  responses: { 200: json(usageSchema, 'Under the names of the limits.'), ...problems },
});

const userRequest = z.strictObject({ type: z.enum(userTypes), limits: limitsSchema.optional() });

const put = createRoute({
  method: 'put',
  path: '/v1/users/{id}',
  operationId: 'putUser',
  summary: 'Set a user’s type and limits',
  description:
    'Needs a key of kind `admin`. Limits that are left out are the type’s. Who holds more than they may keeps it and gets nothing new of it. A user who was deleted is one again.',
  tags,
  security,
  middleware: [readJsonBody()] as const,
  request: { params: userParameter, query: noQuery, ...jsonBody(userRequest.openapi('PutUser')) },
  responses: { 200: json(userAnswerSchema, 'The user as it is now.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/users/{id}',
  operationId: 'deleteUser',
  summary: 'Delete a user',
  description:
    'Needs a key of kind `admin`. Revokes the user’s keys and withdraws what was shared with them; from then on they get nothing new. A user who has sessions or volumes is refused with `user_in_use`, unless `force=true` ends these, too, with the data in them. Deleting again is not an error.',
  tags,
  security,
  request: {
    params: userParameter,
    query: z.strictObject({ force: booleanText('End the user’s sessions and volumes. Their data is lost.').optional() }),
  },
  responses: {
    200: json(
      z.object({
        deleted: z.literal(true),
        sessions: z.array(z.string()),
        volumes: z.array(z.string()),
        snapshots: z.array(z.string()),
        keys: z.array(z.string()),
      }),
      'What ends with the user, by id.',
    ),
    ...problems,
  },
});

export const userRoutes = { list, get, entitlements, usage, put, remove };

export interface UserCaches {
  readonly keys: KeyCache;
  readonly users: Recent<UserDocument | undefined>;
}

export function mountUsers(app: App, services: UserServices, caches: UserCaches): void {
  app.openapi(list, async (c) => {
    const caller = callerOf(c);
    assertKind(caller, ['admin'], 'Listing users');
    const { limit = bounds.listPage.default, ...filters } = c.req.valid('query');
    const page = await services.listUsers(caller, { limit, ...filters });
    return c.json({ users: page.users.map(userAnswer), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(get, async (c) => c.json(userAnswer(await services.getUser(callerOf(c), c.req.valid('param').id)), 200));

  app.openapi(entitlements, async (c) => {
    const user = await services.getUser(callerOf(c), c.req.valid('param').id);
    return c.json(entitlementsAnswer(user.entitlements), 200);
  });

  app.openapi(usage, async (c) => c.json({ ...(await services.getUser(callerOf(c), c.req.valid('param').id)).usage }, 200));

  app.openapi(put, async (c) => {
    const caller = callerOf(c);
    assertKind(caller, ['admin'], 'Setting up users');
    const { id } = c.req.valid('param');
    const { type, limits = {} } = c.req.valid('json');
    const user = await services.putUser(caller, id, { type, limits: definedLimits(limits) });
    caches.users.forget(id);
    return c.json(userAnswer(user), 200);
  });

  app.openapi(remove, async (c) => {
    const caller = callerOf(c);
    assertKind(caller, ['admin'], 'Deleting users');
    const { id } = c.req.valid('param');
    const { sessions, volumes, snapshots, keys } = await services.deleteUser(caller, id, { force: c.req.valid('query').force ?? false });
    caches.users.forget(id);
    for (const key of keys) caches.keys.forget(key);
    const ended = { sessions: [...sessions], volumes: [...volumes], snapshots: [...snapshots], keys: [...keys] };
    return c.json({ deleted: true, ...ended } as const, 200);
  });
}
