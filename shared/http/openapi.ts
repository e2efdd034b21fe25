/**
 * The OpenAPI document, made from the routes themselves.
 *
 * @module
 */
import { OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import { auditRoutes } from './routes/audit.ts';
import { executionRoutes } from './routes/executions.ts';
import { grantRoutes } from './routes/grants.ts';
import { keyRoutes } from './routes/keys.ts';
import { lifecycleRoutes } from './routes/lifecycle.ts';
import { meRoutes } from './routes/me.ts';
import { namespaceRoutes } from './routes/namespaces.ts';
import { notBuiltRoutes } from './routes/not-built.ts';
import { conversationRoutes, projectRoutes } from './routes/projects.ts';
import { serviceRoutes } from './routes/service.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { storageRoutes } from './routes/storage.ts';
import { templateRoutes } from './routes/templates.ts';
import { userRoutes } from './routes/users.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { version } from './version.ts';

const description =
  'Isolated sessions in Kubernetes pods. Errors are RFC 9457 problem documents; `code` is what programs act on. Times are RFC 3339 in UTC. Lists take `limit` and `cursor` and answer `next_cursor`, null on the last page. Unknown fields and unknown query parameters are refused.';

/** What runs before a route's handler is no part of its description; it would be written out with it. */
function withoutMiddleware(route: RouteConfig): RouteConfig {
  const { middleware: _, ...rest } = route;
  return rest;
}

/** OpenAPI 3.1, the same for every installation. */
export function openApiDocument() {
  const { openAPIRegistry, getOpenAPI31Document } = new OpenAPIHono();
  openAPIRegistry.registerComponent('securitySchemes', 'apiKey', { type: 'apiKey', in: 'header', name: 'X-API-Key' });
  openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer' });
  const groups: readonly Readonly<Record<string, RouteConfig>>[] = [
    sessionRoutes,
    lifecycleRoutes,
    projectRoutes,
    conversationRoutes,
    executionRoutes,
    namespaceRoutes,
    storageRoutes,
    templateRoutes,
    keyRoutes,
    meRoutes,
    userRoutes,
    grantRoutes,
    webhookRoutes,
    auditRoutes,
    serviceRoutes,
  ];
  for (const route of [...groups.flatMap((group) => Object.values(group)), ...notBuiltRoutes]) {
    openAPIRegistry.registerPath(withoutMiddleware(route));
  }
  return getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Berth', version, description, license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' } },
  });
}
