/**
 * The `api` unit: the control plane's REST API.
 *
 * @module
 */
import { parseConfig } from '../../shared/config.ts';
import { createDeps } from '../../shared/create-deps.ts';
import { createServices } from '../../shared/create-services.ts';
import { createApiApp } from '../../shared/http/create-api-app.ts';
import { serveFunction } from '../../shared/http/serve-function.ts';

const config = parseConfig(process.env);
const deps = await createDeps(config);
await serveFunction('api', config.port, createApiApp(deps, createServices(deps)));
