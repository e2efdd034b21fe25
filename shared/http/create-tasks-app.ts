/**
 * The `tasks` unit: what Cloud Tasks, or the local queue, calls. 2xx says that a task is done; anything else brings it again.
 *
 * @module
 */
import type { InternalAuth } from '../auth/internal.ts';
import { createApp, type App, type AppDeps } from './create-app.ts';
import { readJsonBody } from './json-body.ts';
import { requireInternal } from './require-internal.ts';
import type { Services } from './services.ts';

/** A task holds 100 KiB at most (https://cloud.google.com/tasks/docs/quotas). */
const TASK_BYTES = 128 * 1024;

export function createTasksApp(deps: AppDeps, services: Pick<Services, 'runTask'>, internalAuth: InternalAuth): App {
  const app = createApp(deps);
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.use('/tasks/*', requireInternal(internalAuth));
  app.post('/tasks/:target', readJsonBody(TASK_BYTES), async (c) => {
    await services.runTask(c.req.param('target'), await c.req.json<unknown>(), c.req.raw.signal);
    return c.json({ done: true });
  });
  return app;
}
