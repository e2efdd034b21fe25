/**
 * `/v1/webhooks`: who is told when sessions change.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { bounds, userSchema } from '../../sessions/create-request.ts';
import { webhookEventTypes, type WebhookDocument } from '../../webhooks/model.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';
import { readJsonBody } from '../json-body.ts';
import { idempotencyHeader, idParameter, noQuery, pageQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';

const tags = ['Webhooks'];
const time = z.string().openapi({ format: 'date-time' });
const eventType = z.enum(webhookEventTypes);

const webhookFields = {
  id: z.string(),
  user: z.string().openapi({ description: 'Whose sessions it is about; `*` is everyone.' }),
  url: z.string(),
  description: z.string().nullable(),
  events: z.array(eventType).openapi({ description: 'Empty: all of them.' }),
  created_at: time,
  deliveries: z
    .array(
      z.object({
        id: z.string(),
        event: eventType,
        at: time,
        duration_ms: z.number(),
        status: z.int().nullable(),
        error: z.string().nullable(),
      }),
    )
    .openapi({ description: 'The newest twenty attempts, the newest first; of those that end alike within a second, one.' }),
};
const webhookSchema = z.object(webhookFields).openapi('Webhook');
const newWebhookSchema = z
  .object({ ...webhookFields, secret: z.string().openapi({ description: 'Deliveries are signed with it. It is shown this once.' }) })
  .openapi('NewWebhook');

const createSchema = z.strictObject({
  url: z.string().min(1),
  user: userSchema.optional(),
  events: z.array(eventType).max(webhookEventTypes.length).optional(),
  description: z
    .string()
    .max(200)
    .regex(/^\P{Cc}*$/u, 'no control characters')
    .optional(),
});

const create = createRoute({
  method: 'post',
  path: '/v1/webhooks',
  operationId: 'createWebhook',
  summary: 'Make a webhook',
  description:
    'Each change of a session is sent as POST with `Berth-Signature: t=<seconds>,v1=<hex>`: HMAC-SHA-256 of `<t>.<body>`, keyed with the secret as it is shown. Answers outside 2xx are tried again for an hour; `id` in the body tells repetitions. The address has to be on the public internet.',
  tags,
  security,
  middleware: [readJsonBody()] as const,
  request: { query: noQuery, headers: idempotencyHeader, ...jsonBody(createSchema.openapi('CreateWebhook')) },
  responses: { 201: json(newWebhookSchema, 'The webhook, with its secret.'), ...problems },
});

const list = createRoute({
  method: 'get',
  path: '/v1/webhooks',
  operationId: 'listWebhooks',
  summary: 'List webhooks',
  tags,
  security,
  request: { query: z.strictObject({ user: userSchema.optional(), ...pageQuery }) },
  responses: {
    200: json(z.object({ webhooks: z.array(webhookSchema), next_cursor: z.string().nullable() }), 'Without their secrets.'),
    ...problems,
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/webhooks/{id}',
  operationId: 'getWebhook',
  summary: 'Read a webhook',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 200: json(webhookSchema, 'The webhook and its last deliveries.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/webhooks/{id}',
  operationId: 'deleteWebhook',
  summary: 'Delete a webhook',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 200: json(z.object({ deleted: z.literal(true) }), 'It is gone, or never was.'), ...problems },
});

export const webhookRoutes = { create, list, get, remove };

export function mountWebhooks(app: App, services: Services): void {
  app.openapi(create, async (c) => {
    const { url, user, events, description } = c.req.valid('json');
    const request = {
      url,
      ...(user === undefined ? {} : { user }),
      ...(events === undefined ? {} : { events }),
      ...(description === undefined ? {} : { description }),
    };
    const made = await services.createWebhook(callerOf(c), request, c.req.valid('header')['idempotency-key']);
    c.header('location', `/v1/webhooks/${made.webhook.id}`);
    if (made.replayed) c.header('idempotency-replayed', 'true');
    return c.json({ ...answer(made.webhook), secret: made.secret.reveal() }, 201);
  });

  app.openapi(list, async (c) => {
    const { user, limit = bounds.listPage.default, cursor } = c.req.valid('query');
    const filters = { limit, ...(user === undefined ? {} : { user }), ...(cursor === undefined ? {} : { cursor }) };
    const page = await services.listWebhooks(callerOf(c), filters);
    return c.json({ webhooks: page.webhooks.map(answer), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(get, async (c) => c.json(answer(await services.getWebhook(callerOf(c), c.req.valid('param').id)), 200));

  app.openapi(remove, async (c) => {
    await services.deleteWebhook(callerOf(c), c.req.valid('param').id);
    return c.json({ deleted: true } as const, 200);
  });
}

function answer({ id, user, url, description, events, created_at, deliveries }: WebhookDocument): z.output<typeof webhookSchema> {
  return { id, user, url, description, events: [...events], created_at, deliveries: [...deliveries] };
}
