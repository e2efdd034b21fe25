/**
 * The `api` unit: the control plane's REST API.
 *
 * @module
 */
import { createKeyCache } from '../auth/key-cache.ts';
import { createApp, type App, type AppDeps } from './create-app.ts';
import { requireCaller } from './require-caller.ts';
import { mountDocs } from './routes/docs.ts';
import { mountExecutions } from './routes/executions.ts';
import { mountKeys } from './routes/keys.ts';
import { mountNamespaces } from './routes/namespaces.ts';
import { mountNotBuilt } from './routes/not-built.ts';
import { mountService } from './routes/service.ts';
import { mountSessions } from './routes/sessions.ts';
import { mountTemplates } from './routes/templates.ts';
import type { Services } from './services.ts';

/** Everything below `/v1`, known or not, asks who is calling before it says anything. */
export function createApiApp(deps: AppDeps, services: Services): App {
  const app = createApp(deps);
  const keys = createKeyCache(deps.store, deps.clock);
  app.use('/v1/*', requireCaller(keys, deps.clock));
  app.use('/metrics', requireCaller(keys, deps.clock));
  mountService(app, deps, services);
  mountDocs(app, deps);
  mountSessions(app, deps, services);
  mountExecutions(app, services);
  mountNamespaces(app, services);
  mountTemplates(app, services);
  mountKeys(app, deps, keys);
  mountNotBuilt(app);
  return app;
}
