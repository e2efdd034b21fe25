/**
 * Starts a unit: what `functions/<unit>/index.ts` ends with.
 *
 * @module
 */
import type { Server } from 'node:http';
import type { App } from './create-app.ts';
import { createFunctionServer } from './function-front.ts';

/**
 * Resolves when the unit listens on every address, as Cloud Run expects (https://cloud.google.com/run/docs/container-contract#port). On
 * TERM it takes no new connection and ends when the requests at hand are answered.
 */
export async function serveFunction(name: string, port: number, app: App): Promise<Server> {
  const server = createFunctionServer(name, app);
  process.once('SIGTERM', () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve(server));
  });
}
