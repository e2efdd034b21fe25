/**
 * `/v1/me`: who is calling, and what they may hold.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { keyKinds } from '../../auth/caller.ts';
import type { KeyCache } from '../../auth/key-cache.ts';
import { userTypes } from '../../entitlements/model.ts';
import { json, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { noQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { UserServices } from '../user-services.ts';
import { entitlementsAnswer, entitlementsSchema, usageSchema } from '../user-answer.ts';

const meSchema = z
  .object({
    user: z.string().nullable().openapi({ description: 'Null where the key is a back end’s, which names the user in each request.' }),
    kind: z.enum(keyKinds),
    key_id: z.string().openapi({ description: 'With an identity token: `oidc:` and a digest of its issuer.' }),
    key_name: z.string().nullable(),
    key_expires_at: z.string().openapi({ format: 'date-time' }).nullable(),
    type: z.enum(userTypes).nullable(),
    entitlements: entitlementsSchema.nullable(),
    usage: usageSchema.nullable(),
  })
  .openapi('Me');

const me = createRoute({
  method: 'get',
  path: '/v1/me',
  operationId: 'getMe',
  summary: 'Who is calling',
  tags: ['Users'],
  security,
  request: { query: noQuery },
  responses: { 200: json(meSchema, 'The caller, and what their user may hold and holds.'), ...problems },
});

export const meRoutes = { me };

export function mountMe(app: App, services: UserServices, keys: KeyCache): void {
  app.openapi(me, async (c) => {
    const caller = callerOf(c);
    const [key, user] = await Promise.all([
      keys.find(caller.keyId),
      caller.user === null ? undefined : services.getUser(caller, caller.user),
    ]);
    return c.json(
      {
        user: caller.user,
        kind: caller.kind,
        key_id: caller.keyId,
        key_name: key?.name ?? null,
        key_expires_at: key?.expires_at ?? null,
        type: user?.type ?? null,
        entitlements: user === undefined ? null : entitlementsAnswer(user.entitlements),
        usage: user === undefined ? null : { ...user.usage },
      },
      200,
    );
  });
}
