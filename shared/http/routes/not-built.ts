/**
 * The routes that no finished issue has built yet: they exist, authenticate, and answer 501, so that a client learns "not yet" instead
 * of "no such thing". One table; a line goes when its route comes.
 *
 * @module
 */
import { createRoute, z } from '@hono/zod-openapi';
import { AppError } from '../../errors/app-error.ts';
import { problems, security } from '../answers.ts';
import type { App } from '../create-app.ts';

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete';

interface Line {
  readonly tag: string;
  readonly path: string;
  readonly methods: readonly Method[];
}

const line = (tag: string, path: string, ...methods: Method[]): Line => ({ tag, path, methods });

const controlPlane: readonly Line[] = [
  line('Sessions', '/v1/sessions/{id}/tickets', 'post'),
  line('Jobs', '/v1/sessions/{id}/jobs', 'get'),
  line('Jobs', '/v1/sessions/{id}/jobs/{job}', 'get', 'delete'),
  line('Jobs', '/v1/sessions/{id}/jobs/{job}/status', 'get'),
  line('Jobs', '/v1/sessions/{id}/jobs/{job}/logs', 'get'),
];

/** Of the `shell` unit; until there is one, they are as unbuilt as the others. */
const dataPlane: readonly Line[] = [
  line('Shell', '/v1/sessions/{id}/shell', 'get'),
  line('Shell', '/v1/gke/shell/{id}', 'get'),
  line('Executions', '/v1/sessions/{id}/execute/stream', 'get', 'post'),
  line('Files', '/v1/sessions/{id}/files', 'get', 'put', 'delete'),
  line('Files', '/v1/sessions/{id}/files/list', 'get'),
  line('Files', '/v1/sessions/{id}/files/stat', 'get'),
  line('Files', '/v1/sessions/{id}/files/mkdir', 'post'),
  line('Files', '/v1/sessions/{id}/files/move', 'post'),
  line('Events', '/v1/events', 'get'),
];

/** Any method and any path below: OpenAPI has no words for it. */
const portGateway = ['/v1/sessions/:id/ports/:port', '/v1/sessions/:id/ports/:port/*'];

export const notBuiltRoutes = [...controlPlane, ...dataPlane].flatMap(({ tag, path, methods }) =>
  methods.map((method) =>
    createRoute({
      method,
      path,
      summary: 'Not built yet: answers 501',
      tags: [tag],
      security,
      request: { params: pathParameters(path) },
      responses: problems,
    }),
  ),
);

export function mountNotBuilt(app: App): void {
  for (const route of notBuiltRoutes) app.on([route.method.toUpperCase()], route.getRoutingPath(), refuse);
  for (const path of portGateway) app.all(path, refuse);
}

function refuse(): never {
  throw new AppError('not_implemented', 'This route is part of the API, but not built yet.');
}

function pathParameters(path: string) {
  return z.object(Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => [name, z.string()])));
}
