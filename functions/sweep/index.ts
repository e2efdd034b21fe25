/**
 * The `sweep` unit: the target of Cloud Scheduler.
 *
 * @module
 */
import { internalAuthOf } from '../../shared/auth/internal-auth.ts';
import { parseConfig } from '../../shared/config.ts';
import { createDeps } from '../../shared/create-deps.ts';
import { createServices } from '../../shared/create-services.ts';
import { createSweepApp } from '../../shared/http/create-sweep-app.ts';
import { serveFunction } from '../../shared/http/serve-function.ts';

const config = parseConfig(process.env);
const deps = await createDeps(config);
await serveFunction('sweep', config.port, createSweepApp(deps, createServices(deps), internalAuthOf(config, deps.log)));
