/**
 * The `sweep` unit: what Cloud Scheduler, or a timer, calls each minute.
 *
 * @module
 */
import type { InternalAuth } from '../auth/internal.ts';
import { createApp, type App, type AppDeps } from './create-app.ts';
import { requireInternal } from './require-internal.ts';
import type { Services } from './services.ts';

export function createSweepApp(deps: AppDeps, services: Pick<Services, 'sweep'>, internalAuth: InternalAuth): App {
  const app = createApp(deps);
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.use('/sweep', requireInternal(internalAuth));
  app.post('/sweep', async (c) => c.json(await services.sweep()));
  return app;
}
