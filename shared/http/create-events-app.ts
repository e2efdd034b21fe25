/**
 * The `events` unit: what Eventarc calls for each write of a session's document. 2xx says that the event is done. 4xx says that it never
 * will be: it is logged once, and Eventarc gives it up within a day. 5xx brings it again.
 *
 * @module
 */
import type { Context } from 'hono';
import type { InternalAuth } from '../auth/internal.ts';
import { AppError } from '../errors/app-error.ts';
import { parseCloudEvent, type CloudEvent } from '../events/cloud-event.ts';
import type { SessionChange } from '../events/model.ts';
import { readChange } from '../events/read-change.ts';
import { createApp, type App, type AppDeps } from './create-app.ts';
import type { AppEnv } from './environment.ts';
import { readBounded } from './json-body.ts';
import { requireInternal } from './require-internal.ts';
import type { Services } from './services.ts';

/** Two documents of 1 MiB at most, in base64 where the event is structured. */
const EVENT_BYTES = 4 * 1024 * 1024;
/** How many refused events are remembered, so that each is logged once. */
const REMEMBERED = 1_000;

export function createEventsApp(deps: AppDeps, services: Pick<Services, 'handleChange'>, internalAuth: InternalAuth): App {
  const app = createApp(deps);
  const refused = new Set<string>();
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  // Eventarc calls the root unless its trigger names a path.
  for (const path of ['/', '/events']) {
    app.use(path, requireInternal(internalAuth));
    app.post(path, async (c) => {
      const event = await readEvent(c);
      const change = readOrRefuse(c, event, refused);
      const outcome = change === undefined ? 'ignored' : await services.handleChange(change);
      deps.metrics.count('berth_events_total', { outcome });
      return c.json({ outcome });
    });
  }
  return app;
}

async function readEvent(c: Context<AppEnv>): Promise<CloudEvent> {
  const body = await readBounded(c.req.raw.body, EVENT_BYTES);
  try {
    return parseCloudEvent(c.req.raw.headers, body);
  } catch (error) {
    throw new AppError('bad_event', `The request is no CloudEvent: ${messageOf(error)}.`, { cause: error });
  }
}

function readOrRefuse(c: Context<AppEnv>, event: CloudEvent, refused: Set<string>): SessionChange | undefined {
  try {
    return readChange(event);
  } catch (error) {
    if (!refused.has(event.id)) {
      if (refused.size >= REMEMBERED) refused.clear();
      refused.add(event.id);
      c.var.log.log('error', 'an event cannot be read and is left out', {
        action: 'event_refused',
        event_id: event.id,
        type: event.type,
        error,
      });
    }
    throw new AppError('bad_event', `The event cannot be read: ${messageOf(error)}.`, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
