/**
 * `/v1/sessions`: create, read, list, delete, and what happened to them.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { bounds, createSessionSchema } from '../../sessions/create-request.ts';
import { sessionStatuses } from '../../sessions/model.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App, AppDeps } from '../create-app.ts';
import { withoutUndefined } from '../defined.ts';
import { readJsonBody } from '../json-body.ts';
import { originOf } from '../origin.ts';
import {
  booleanText,
  idempotencyHeader,
  idParameter,
  integer,
  labelQuery,
  noQuery,
  pageQuery,
  parseLabels,
  waitQuery,
} from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';
import { sessionAnswer, sessionSchema } from '../session-answer.ts';

const tags = ['Sessions'];

const createDescription =
  'Answers when the session is ready or has failed, and after `wait` seconds at the latest as it stands then. With an `Idempotency-Key` a repeated request answers the first one’s session, with the header `Idempotency-Replayed: true`.';

export const createSessionBody = createSessionSchema.meta({ id: 'CreateSession' });

const create = createRoute({
  method: 'post',
  path: '/v1/sessions',
  operationId: 'createSession',
  summary: 'Create a session',
  description: createDescription,
  tags,
  security,
  middleware: [readJsonBody()] as const,
  request: {
    query: z.strictObject({ wait: waitQuery('for the session to be ready') }),
    headers: idempotencyHeader,
    ...jsonBody(createSessionBody),
  },
  responses: {
    201: {
      ...json(sessionSchema, 'The session.'),
      headers: z.object({ Location: z.string(), 'Idempotency-Replayed': z.literal('true').optional() }),
    },
    ...problems,
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/sessions',
  operationId: 'listSessions',
  summary: 'List sessions',
  description: 'Newest first; with `label` in the order of their ids, which tells nothing of their age.',
  tags,
  security,
  request: {
    query: z.strictObject({
      namespace: z.string().min(1).max(63).optional(),
      user: z.string().min(1).max(bounds.userCharacters).optional(),
      status: z.enum(sessionStatuses).optional(),
      project_id: z.string().min(1).max(128).optional(),
      workspace_id: z.string().min(1).max(128).optional(),
      template: z.string().min(1).max(63).optional(),
      label: labelQuery,
      shared: booleanText(
        'In place of your own: those that others share with you one by one; with `namespace`, all of a namespace that is shared with you.',
      ).optional(),
      ...pageQuery,
    }),
  },
  responses: {
    200: json(z.object({ sessions: z.array(sessionSchema), next_cursor: z.string().nullable() }), 'A page of sessions.'),
    ...problems,
  },
});

const get = createRoute({
  method: 'get',
  path: '/v1/sessions/{id}',
  operationId: 'getSession',
  summary: 'Read a session',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 200: json(sessionSchema, 'The session.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/sessions/{id}',
  operationId: 'deleteSession',
  summary: 'End a session',
  description: 'Deleting what is gone already is not an error.',
  tags,
  security,
  request: {
    params: idParameter,
    query: z.strictObject({
      preserve_data: booleanText(
        'Whether the volumes that were made for the session stay; as it was asked for at create by default. An ephemeral workspace goes in any case.',
      ).optional(),
    }),
  },
  responses: {
    200: json(z.object({ deleted: z.literal(true), status: z.literal('terminating') }), 'It ends now, or has ended.'),
    ...problems,
  },
});

const eventSchema = z
  .object({
    at: z.string().openapi({ format: 'date-time' }),
    source: z.enum(['berth', 'kubernetes']),
    type: z.enum(['normal', 'warning']),
    reason: z.string(),
    message: z.string(),
    count: z.int(),
  })
  .openapi('SessionEvent');

const events = createRoute({
  method: 'get',
  path: '/v1/sessions/{id}/events',
  operationId: 'listSessionEvents',
  summary: 'What Berth and Kubernetes did to a session',
  tags,
  security,
  request: { params: idParameter, query: noQuery },
  responses: { 200: json(z.object({ events: z.array(eventSchema), next_cursor: z.null() }), 'Oldest first.'), ...problems },
});

const logs = createRoute({
  method: 'get',
  path: '/v1/sessions/{id}/logs',
  operationId: 'readSessionLogs',
  summary: "The container's own output",
  tags,
  security,
  request: {
    params: idParameter,
    query: z.strictObject({
      tail_lines: integer(1, 100_000, 'Only the last lines.').optional(),
      limit_bytes: integer(1, 1024 * 1024, 'At most so many bytes.').optional(),
      previous: booleanText('Of the container before its last restart.').optional(),
    }),
  },
  responses: { 200: { description: 'Plain text.', content: { 'text/plain': { schema: z.string() } } }, ...problems },
});

export const sessionRoutes = { create, list, get, remove, events, logs };

export function mountSessions(app: App, { config }: AppDeps, services: Services): void {
  app.openapi(create, async (c) => {
    const { wait } = c.req.valid('query');
    const { 'idempotency-key': idempotencyKey } = c.req.valid('header');
    const { session, replayed } = await services.createSession(callerOf(c), c.req.valid('json'), {
      waitSeconds: wait ?? bounds.waitSeconds.default,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    c.header('Location', `/v1/sessions/${session.id}`);
    if (replayed) c.header('Idempotency-Replayed', 'true');
    return c.json(sessionAnswer(session, { origin: originOf(c, config) }), 201);
  });

  app.openapi(list, async (c) => {
    const { label, limit, ...filters } = c.req.valid('query');
    const page = await services.listSessions(callerOf(c), {
      ...withoutUndefined(filters),
      labels: parseLabels(label),
      limit: limit ?? bounds.listPage.default,
    });
    const origin = originOf(c, config);
    return c.json({ sessions: page.sessions.map((session) => sessionAnswer(session, { origin })), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(get, async (c) => {
    const session = await services.getSession(callerOf(c), c.req.valid('param').id);
    return c.json(sessionAnswer(session, { origin: originOf(c, config) }), 200);
  });

  app.openapi(remove, async (c) => {
    const { preserve_data: preserveData } = c.req.valid('query');
    await services.deleteSession(callerOf(c), c.req.valid('param').id, withoutUndefined({ preserveData }));
    return c.json({ deleted: true, status: 'terminating' } as const, 200);
  });

  app.openapi(events, async (c) => {
    const entries = await services.sessionEvents(callerOf(c), c.req.valid('param').id);
    return c.json({ events: [...entries], next_cursor: null }, 200);
  });

  app.openapi(logs, async (c) => {
    const { tail_lines: tailLines, limit_bytes: limitBytes, previous = false } = c.req.valid('query');
    const text = await services.sessionLogs(callerOf(c), c.req.valid('param').id, {
      previous,
      ...withoutUndefined({ tailLines, limitBytes }),
    });
    return c.text(text, 200);
  });
}
