/**
 * `/v1/keys` and `/v1/me`: who calls.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { keyKinds } from '../../auth/caller.ts';
import type { KeyCache } from '../../auth/key-cache.ts';
import { decideNewKey, mayManageKey } from '../../auth/key-policy.ts';
import { createKey, findKey, listKeys, revokeKey, type KeyDocument } from '../../auth/keys.ts';
import { AppError } from '../../errors/app-error.ts';
import { bounds, userSchema } from '../../sessions/create-request.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App, AppDeps } from '../create-app.ts';
import { readJsonBody } from '../json-body.ts';
import { idParameter, noQuery, pageQuery } from '../parameters.ts';
import { assertKind, callerOf } from '../require-caller.ts';

const tags = ['Keys'];
const time = z.string().openapi({ format: 'date-time' });

const keyFields = {
  id: z.string(),
  kind: z.enum(keyKinds),
  user: z.string().nullable(),
  name: z.string().nullable(),
  created_at: time,
  expires_at: time.nullable(),
  revoked_at: time.nullable(),
};
const keySchema = z.object(keyFields).openapi('Key');
const newKeySchema = z
  .object({ ...keyFields, key: z.string().openapi({ description: 'The key itself. It is shown this once.' }) })
  .openapi('NewKey');

const keyRequestSchema = z.strictObject({
  kind: z.enum(keyKinds).optional(),
  user: userSchema.optional(),
  name: z
    .string()
    .min(1)
    .max(bounds.nameCharacters)
    .regex(/^\P{Cc}+$/u, 'no control characters')
    .optional(),
  expires_at: z.iso.datetime({ offset: true, error: 'must be a time in RFC 3339, such as 2030-01-31T12:00:00Z' }).optional(),
  ttl_minutes: z
    .int()
    .min(1)
    .max(bounds.ttlMinutes.largest * 10)
    .optional(),
});

const create = createRoute({
  method: 'post',
  path: '/v1/keys',
  operationId: 'createKey',
  summary: 'Make a key',
  description:
    'A key of kind `admin` makes any key; one of kind `user` makes further ones for its own user, which expire no later than itself.',
  tags,
  security,
  middleware: [readJsonBody()] as const,
  request: { query: noQuery, ...jsonBody(keyRequestSchema.openapi('CreateKey')) },
  responses: { 201: json(newKeySchema, 'The key; it cannot be read again.'), ...problems },
});

const list = createRoute({
  method: 'get',
  path: '/v1/keys',
  operationId: 'listKeys',
  summary: 'List keys',
  tags,
  security,
  request: { query: z.strictObject({ user: userSchema.optional(), ...pageQuery }) },
  responses: {
    200: json(z.object({ keys: z.array(keySchema), next_cursor: z.string().nullable() }), 'Without their secrets.'),
    ...problems,
  },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/keys/{id}',
  operationId: 'revokeKey',
  summary: 'Revoke a key',
  description: 'It stops working at once here, and within five seconds everywhere.',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 200: json(z.object({ deleted: z.literal(true) }), 'It is revoked.'), ...problems },
});

const me = createRoute({
  method: 'get',
  path: '/v1/me',
  operationId: 'getMe',
  summary: 'Who is calling',
  tags,
  security,
  request: { query: noQuery },
  responses: {
    200: json(
      z
        .object({
          user: z.string().nullable(),
          kind: z.enum(keyKinds),
          key_id: z.string(),
          key_name: z.string().nullable(),
          key_expires_at: time.nullable(),
        })
        .openapi('Me'),
      'The key of this request.',
    ),
    ...problems,
  },
});

export const keyRoutes = { create, list, remove, me };

export function mountKeys(app: App, deps: AppDeps, cache: KeyCache): void {
  app.openapi(create, async (c) => {
    const caller = callerOf(c);
    const own = await cache.find(caller.keyId);
    const ownExpiry = caller.kind === 'user' && own?.expires_at ? new Date(own.expires_at) : null;
    const request = decideNewKey(caller, ownExpiry, c.req.valid('json'), deps.clock.now());
    const { document, key } = await createKey(deps, request);
    c.var.log.log('info', 'key created', { action: 'key_created', key_id: caller.keyId, new_key_id: document.id, kind: document.kind });
    return c.json({ ...keyAnswer(document), key: key.reveal() }, 201);
  });

  app.openapi(list, async (c) => {
    const caller = callerOf(c);
    assertKind(caller, ['admin', 'user'], 'Listing keys');
    const { user, limit = bounds.listPage.default, cursor } = c.req.valid('query');
    const wanted = caller.kind === 'user' ? caller.user : user;
    const page = await listKeys(deps.store, {
      limit,
      ...(typeof wanted === 'string' ? { user: wanted } : {}),
      ...(cursor === undefined ? {} : { cursor }),
    });
    return c.json({ keys: page.keys.filter((key) => mayManageKey(caller, key)).map(keyAnswer), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param');
    const document = await findKey(deps.store, id);
    if (document === undefined || !mayManageKey(callerOf(c), document)) throw new AppError('not_found', `There is no key "${id}".`);
    await revokeKey(deps, id);
    cache.forget(id);
    c.var.log.log('info', 'key revoked', { action: 'key_revoked', key_id: callerOf(c).keyId, revoked_key_id: id });
    return c.json({ deleted: true } as const, 200);
  });

  app.openapi(me, async (c) => {
    const { user, kind, keyId } = callerOf(c);
    const document = await cache.find(keyId);
    return c.json({ user, kind, key_id: keyId, key_name: document?.name ?? null, key_expires_at: document?.expires_at ?? null }, 200);
  });
}

function keyAnswer({ id, kind, user, name, created_at, expires_at, revoked_at }: KeyDocument): z.output<typeof keySchema> {
  return { id, kind, user, name, created_at, expires_at, revoked_at };
}
