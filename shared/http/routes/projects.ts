/**
 * The one session of a project or a conversation: got or made, read, used and ended by the project's own path.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import type { Anchor, AnchorKind } from '../../sessions/anchors.ts';
import { anchorIdSchema, bounds } from '../../sessions/create-request.ts';
import { json, jsonBody, problems, security } from '../answers.ts';
import type { App, AppDeps } from '../create-app.ts';
import { readJsonBody } from '../json-body.ts';
import { originOf } from '../origin.ts';
import { booleanText, noQuery, waitQuery } from '../parameters.ts';
import { callerOf } from '../require-caller.ts';
import type { Services } from '../services.ts';
import { sessionAnswer, sessionSchema } from '../session-answer.ts';
import { executeBody, executionSchema } from './executions.ts';
import { createSessionBody } from './sessions.ts';

const tags = ['Projects and conversations'];

const ensureDescription =
  'There is at most one at any time, whoever asks at once. A running one is answered as it is, a stopped one started, one that failed made again from this body. It has a persistent volume at `/workspace` by default, stops instead of ending at its deadline, and keeps its data. Where both a project and a conversation are named, the project counts. Where a running one differs from the body, `warnings` says so. Where the data of the session before is being removed, it waits for that, `wait` seconds at most (then 409 `volume_deleting`). A conversation that names a project leads to the project’s session.';

const ended = z.object({ deleted: z.literal(true), status: z.literal('terminating') });

/** `project` as in `/v1/projects/{id}/session`. */
function placeOf(kind: AnchorKind) {
  const title = kind === 'project' ? 'Project' : 'Conversation';
  const id = anchorIdSchema
    .meta({ description: `Id of the ${kind}, the caller's own.` })
    .openapi({ param: { name: 'id', in: 'path' }, example: 'atlas' });
  return { title, path: `/v1/${kind}s/{id}/session`, params: z.object({ id }) } as const;
}

function ensureRoute(kind: AnchorKind) {
  const { title, path, params } = placeOf(kind);
  const query = z.strictObject({
    wait: waitQuery('for the session to be ready'),
    recreate: booleanText('Rebuild, on its storage, a session that differs from the body.').optional(),
  });
  return createRoute({
    method: 'put',
    path,
    operationId: `ensure${title}Session`,
    summary: `Get or create the session of a ${kind}`,
    description: ensureDescription,
    tags,
    security,
    middleware: [readJsonBody()] as const,
    request: { params, query, ...jsonBody(createSessionBody) },
    responses: {
      200: json(sessionSchema, 'The session that was there.'),
      201: { ...json(sessionSchema, 'A new session.'), headers: z.object({ Location: z.string() }) },
      ...problems,
    },
  });
}

function getRoute(kind: AnchorKind) {
  const { title, path, params } = placeOf(kind);
  return createRoute({
    method: 'get',
    path,
    operationId: `get${title}Session`,
    summary: `Read the session of a ${kind}`,
    tags,
    security,
    request: { params, query: noQuery },
    responses: { 200: json(sessionSchema, 'The session.'), ...problems },
  });
}

function removeRoute(kind: AnchorKind) {
  const { title, path, params } = placeOf(kind);
  return createRoute({
    method: 'delete',
    path,
    operationId: `delete${title}Session`,
    summary: `End the session of a ${kind}`,
    description:
      'Its data stays for the next one, unless `preserve_data=false`, which also removes what an earlier session has left. Deleting what is gone already is not an error.',
    tags,
    security,
    request: {
      params,
      query: z.strictObject({ preserve_data: booleanText('Whether its data stays; `true` by default.').optional() }),
    },
    responses: { 200: json(ended, 'It ends now, or has ended.'), ...problems },
  });
}

function executeRoute(kind: AnchorKind) {
  const { title, path, params } = placeOf(kind);
  return createRoute({
    method: 'post',
    path: `${path}/execute`,
    operationId: `executeIn${title}`,
    summary: `Run a command in the session of a ${kind}`,
    tags,
    security,
    middleware: [readJsonBody()] as const,
    request: { params, query: noQuery, ...jsonBody(executeBody) },
    responses: { 200: json(executionSchema, 'How the command ended, also where it failed.'), ...problems },
  });
}

/** The same four for both. */
function routesOf(kind: AnchorKind) {
  return { ensure: ensureRoute(kind), get: getRoute(kind), remove: removeRoute(kind), execute: executeRoute(kind) };
}

export const projectRoutes = routesOf('project');
export const conversationRoutes = routesOf('conversation');

export function mountProjects(app: App, deps: AppDeps, services: Services): void {
  mountAnchored(app, deps, services, 'project', projectRoutes);
  mountAnchored(app, deps, services, 'conversation', conversationRoutes);
}

function mountAnchored(
  app: App,
  { config }: AppDeps,
  services: Services,
  kind: AnchorKind,
  { ensure, get, remove, execute }: ReturnType<typeof routesOf>,
): void {
  const anchorOf = ({ id }: { readonly id: string }): Anchor => ({ kind, id });

  app.openapi(ensure, async (c) => {
    const { wait, recreate = false } = c.req.valid('query');
    const options = { waitSeconds: wait ?? bounds.waitSeconds.default, recreate };
    const { session, created } = await services.ensureAnchored(callerOf(c), anchorOf(c.req.valid('param')), c.req.valid('json'), options);
    const answer = sessionAnswer(session, { origin: originOf(c, config) });
    if (!created) return c.json(answer, 200);
    c.header('Location', `/v1/sessions/${session.id}`);
    return c.json(answer, 201);
  });

  app.openapi(get, async (c) => {
    const session = await services.getAnchored(callerOf(c), anchorOf(c.req.valid('param')));
    return c.json(sessionAnswer(session, { origin: originOf(c, config) }), 200);
  });

  app.openapi(remove, async (c) => {
    const { preserve_data: preserveData = true } = c.req.valid('query');
    await services.deleteAnchored(callerOf(c), anchorOf(c.req.valid('param')), { preserveData });
    return c.json({ deleted: true, status: 'terminating' } as const, 200);
  });

  app.openapi(execute, async (c) => {
    const session = await services.getAnchored(callerOf(c), anchorOf(c.req.valid('param')));
    return c.json(await services.execute(callerOf(c), session.id, c.req.valid('json'), c.req.raw.signal), 200);
  });
}
