/**
 * `/v1/keys`: who may call.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { recordAudit } from '../../audit/record.ts';
import { keyKinds } from '../../auth/caller.ts';
import type { KeyCache } from '../../auth/key-cache.ts';
import { decideNewKey, latestExpiry, mayManageKey } from '../../auth/key-policy.ts';
import { createKey, findKey, listKeys, revokeKey, type KeyDocument } from '../../auth/keys.ts';
import { isGone } from '../../documents/gone.ts';
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
    'A key of kind `admin` makes any key; one of kind `user` makes further ones for its own user, which expire no later than itself. With an identity token, users make keys for themselves, which expire after 30 days at the latest unless configured otherwise. A key is shown once, so a repeated request makes another one; the lost one is in the list and can be revoked.',
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

export const keyRoutes = { create, list, remove };

export function mountKeys(app: App, deps: AppDeps, cache: KeyCache): void {
  app.openapi(create, async (c) => {
    const caller = callerOf(c);
    const now = deps.clock.now();
    const latest = latestExpiry(caller, await cache.find(caller.keyId), deps.config.tokenKeyDays, now);
    const request = decideNewKey(caller, latest, c.req.valid('json'), now);
    const { document, key } = await createKey(deps, request);
    const detail = { kind: document.kind, expires_at: document.expires_at };
    await recordAudit(deps, { caller, user: document.user, action: 'key.create', target: `keys/${document.id}`, detail });
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
    const now = deps.clock.now();
    const keys = page.keys.filter((key) => mayManageKey(caller, key) && !isGone(key, now));
    return c.json({ keys: keys.map(keyAnswer), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(remove, async (c) => {
    const { id } = c.req.valid('param');
    const document = await findKey(deps.store, id);
    if (document === undefined || !mayManageKey(callerOf(c), document)) throw new AppError('not_found', `There is no key "${id}".`);
    await revokeKey(deps, id);
    cache.forget(id);
    await recordAudit(deps, { caller: callerOf(c), user: document.user, action: 'key.revoke', target: `keys/${id}` });
    c.var.log.log('info', 'key revoked', { action: 'key_revoked', key_id: callerOf(c).keyId, revoked_key_id: id });
    return c.json({ deleted: true } as const, 200);
  });
}

function keyAnswer({ id, kind, user, name, created_at, expires_at, revoked_at }: KeyDocument): z.output<typeof keySchema> {
  return { id, kind, user, name, created_at, expires_at, revoked_at };
}
