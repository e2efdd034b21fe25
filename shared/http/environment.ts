/**
 * What hono carries along with each request.
 *
 * @module
 */
import type { HttpBindings } from '@hono/node-server';
import type { Caller } from '../auth/caller.ts';
import type { Logger } from '../observability/logger.ts';

export interface AppEnv {
  /** Empty where the app is called without a server, in tests. */
  readonly Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
    /** Writes the request's id and trace with every event. */
    log: Logger;
    /** Absent before authentication and on public paths. */
    caller?: Caller;
  };
}
