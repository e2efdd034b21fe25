/**
 * The `tasks` unit: the targets of Cloud Tasks.
 *
 * @module
 */
import { internalAuthOf } from '../../shared/auth/internal-auth.ts';
import { parseConfig } from '../../shared/config.ts';
import { createDeps } from '../../shared/create-deps.ts';
import { createServices } from '../../shared/create-services.ts';
import { createTasksApp } from '../../shared/http/create-tasks-app.ts';
import { serveFunction } from '../../shared/http/serve-function.ts';

const config = parseConfig(process.env);
const deps = await createDeps(config);
await serveFunction('tasks', config.port, createTasksApp(deps, createServices(deps), internalAuthOf(config, deps.log)));
