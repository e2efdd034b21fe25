/**
 * The `events` unit: the target of Firestore's trigger.
 *
 * @module
 */
import { internalAuthOf } from '../../shared/auth/internal-auth.ts';
import { parseConfig } from '../../shared/config.ts';
import { createDeps } from '../../shared/create-deps.ts';
import { createServices } from '../../shared/create-services.ts';
import { createEventsApp } from '../../shared/http/create-events-app.ts';
import { serveFunction } from '../../shared/http/serve-function.ts';

const config = parseConfig(process.env);
const deps = await createDeps(config);
await serveFunction('events', config.port, createEventsApp(deps, createServices(deps), internalAuthOf(config, deps.log)));
