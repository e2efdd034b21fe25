/**
 * A session's life: stop, start, restart, and what can be changed of it.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { bounds } from '../../sessions/create-request.ts';
import type { WaitOptions } from '../../sessions/lifecycle-services.ts';
import { updateSessionSchema } from '../../sessions/update-request.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App, AppDeps } from '../create-app.ts';
import { withoutUndefined } from '../defined.ts';
import { readJsonBody } from '../json-body.ts';
import { originOf } from '../origin.ts';
import { idParameter, noQuery, waitQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';
import { sessionAnswer, sessionSchema } from '../session-answer.ts';

const tags = ['Sessions'];

const update = createRoute({
  method: 'patch',
  path: '/v1/sessions/{id}',
  operationId: 'updateSession',
  summary: 'Extend a session, or change its name, labels and idle timeout',
  description:
    '`ttl_minutes` counts from now, so it can make a session’s life shorter, too. A running session lasts no longer than its pod may: `quota_exceeded` says how long that is.',
  tags,
  security,
  middleware: [readJsonBody()] as const,
  request: { params: idParameter, query: noQuery, ...jsonBody(updateSessionSchema.meta({ id: 'UpdateSession' })) },
  responses: { 200: json(sessionSchema, 'The session as it is now.'), ...problems },
});

/** They take no body; what the older clients send is left unread. */
function change<V extends string>(verb: V, operationId: string, summary: string, description: string, wait: string) {
  return createRoute({
    method: 'post',
    path: `/v1/sessions/{id}/${verb}`,
    operationId,
    summary,
    description: `${description} Asking again is fine. After \`wait\` seconds the session is answered as it stands; what is left is done without the caller.`,
    tags,
    security,
    request: { params: idParameter, query: z.strictObject({ wait: waitQuery(wait) }) },
    responses: { 200: json(sessionSchema, 'The session as it is now.'), ...problems },
  });
}

const stop = change(
  'stop',
  'stopSession',
  'Stop a session',
  'Its pod goes, after `before_stop` of its template; its volumes and the values of its env stay. It holds nothing of its owner’s limits but its storage, and ends at its deadline unless it is a project’s or a conversation’s.',
  'for the pod to be gone',
);
const start = change(
  'start',
  'startSession',
  'Start a session that is stopped or has failed',
  'It is admitted anew, so it may be refused as `quota_exceeded`.',
  'for the session to be ready',
);
const restart = change(
  'restart',
  'restartSession',
  'Give a session a new pod',
  'Volumes stay as they are; an ephemeral workspace is lost.',
  'for the session to be ready',
);

export const lifecycleRoutes = { update, stop, start, restart };

export function mountLifecycle(app: App, { config }: AppDeps, services: Services): void {
  app.openapi(update, async (c) => {
    const session = await services.updateSession(callerOf(c), c.req.valid('param').id, withoutUndefined(c.req.valid('json')));
    return c.json(sessionAnswer(session, { origin: originOf(c, config) }), 200);
  });

  app.openapi(stop, async (c) => {
    const session = await services.stopSession(callerOf(c), c.req.valid('param').id, waiting(c.req.valid('query')));
    return c.json(sessionAnswer(session, { origin: originOf(c, config) }), 200);
  });

  app.openapi(start, async (c) => {
    const session = await services.startSession(callerOf(c), c.req.valid('param').id, waiting(c.req.valid('query')));
    return c.json(sessionAnswer(session, { origin: originOf(c, config) }), 200);
  });

  app.openapi(restart, async (c) => {
    const session = await services.restartSession(callerOf(c), c.req.valid('param').id, waiting(c.req.valid('query')));
    return c.json(sessionAnswer(session, { origin: originOf(c, config) }), 200);
  });
}

function waiting({ wait }: { readonly wait?: number | undefined }): WaitOptions {
  return { waitSeconds: wait ?? bounds.waitSeconds.default };
}
