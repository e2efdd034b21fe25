/**
 * The `sweep` unit: what Cloud Scheduler, or a timer, calls each minute.
 *
 * @module
 */
import { z } from '@hono/zod-openapi';
import type { InternalAuth } from '../auth/internal.ts';
import { createApp, type App, type AppDeps } from './create-app.ts';
import { booleanText } from './parameters.ts';
import { requireInternal } from './require-internal.ts';
import type { Services } from './services.ts';
import { validationError } from './validation.ts';

const sweepQuery = z.strictObject({
  dry_run: booleanText('Only says what would be done.').default(false),
  full: booleanText('Compares everything, whether that is due or not.').default(false),
});

export function createSweepApp(deps: AppDeps, services: Pick<Services, 'sweep'>, internalAuth: InternalAuth): App {
  const app = createApp(deps);
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.use('/sweep', requireInternal(internalAuth));
  app.post('/sweep', async (c) => {
    const query = sweepQuery.safeParse(c.req.query());
    if (!query.success) throw validationError('The query', query.error.issues);
    return c.json(await services.sweep({ dryRun: query.data.dry_run, full: query.data.full }));
  });
  return app;
}
