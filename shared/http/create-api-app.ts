/**
 * The `api` unit: the control plane's REST API.
 *
 * @module
 */
import type { Authenticator } from '../auth/authenticate.ts';
import { createIdentityVerifier } from '../auth/identity.ts';
import { createKeyCache } from '../auth/key-cache.ts';
import { createRecent } from '../auth/recent.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { userKey } from '../sessions/collections.ts';
import { createApp, type App, type AppDeps } from './create-app.ts';
import { auditRefusals } from './audit-refusals.ts';
import { requireCaller } from './require-caller.ts';
import { mountAudit } from './routes/audit.ts';
import { mountDocs } from './routes/docs.ts';
import { mountExecutions } from './routes/executions.ts';
import { mountGrants } from './routes/grants.ts';
import { mountKeys } from './routes/keys.ts';
import { mountMe } from './routes/me.ts';
import { mountNamespaces } from './routes/namespaces.ts';
import { mountLifecycle } from './routes/lifecycle.ts';
import { mountNotBuilt } from './routes/not-built.ts';
import { mountProjects } from './routes/projects.ts';
import { mountService } from './routes/service.ts';
import { mountSessions } from './routes/sessions.ts';
import { mountStorage } from './routes/storage.ts';
import { mountTemplates } from './routes/templates.ts';
import { mountUsers } from './routes/users.ts';
import { mountWebhooks } from './routes/webhooks.ts';
import type { Services } from './services.ts';

/** Everything below `/v1`, known or not, asks who is calling before it says anything. */
export function createApiApp(deps: AppDeps, services: Services): App {
  const app = createApp(deps);
  const authenticator = authenticatorOf(deps);
  const { keys } = authenticator;
  app.use('/v1/*', requireCaller(authenticator));
  app.use('/v1/*', auditRefusals(deps));
  app.use('/metrics', requireCaller(authenticator));
  mountService(app, deps, services);
  mountDocs(app, deps);
  mountSessions(app, deps, services);
  mountLifecycle(app, deps, services);
  mountProjects(app, deps, services);
  mountExecutions(app, services);
  mountNamespaces(app, services);
  mountTemplates(app, services);
  mountKeys(app, deps, keys);
  mountMe(app, services, keys);
  mountUsers(app, services, authenticator);
  mountGrants(app, services);
  mountWebhooks(app, services);
  mountAudit(app, services);
  mountStorage(app, services);
  mountNotBuilt(app);
  return app;
}

function authenticatorOf({ store, clock, config }: AppDeps): Authenticator {
  const { identityProviders } = config;
  return {
    clock,
    keys: createKeyCache(store, clock),
    users: createRecent(async (user) => (await store.get<UserDocument>(userKey(user)))?.data, clock),
    identity: identityProviders.length === 0 ? undefined : createIdentityVerifier(identityProviders, clock),
  };
}
