/**
 * Which way of knowing its callers an internal unit has, by configuration.
 *
 * @module
 */
import type { Config } from '../config.ts';
import type { Logger } from '../observability/logger.ts';
import { identityTokenAuth, refuseAll, type InternalAuth } from './internal.ts';

/**
 * For a unit of its own: identity tokens made for `BERTH_TASKS_URL` by `BERTH_TASKS_SERVICE_ACCOUNT`, which the queue and the scheduler
 * both act as. With the local queue there is no such caller, and everybody is refused.
 */
export function internalAuthOf(config: Pick<Config, 'queue' | 'tasksIssuer'>, log: Logger): InternalAuth {
  if (config.queue.type === 'local') return refuseAll;
  return identityTokenAuth({
    audience: config.queue.url,
    serviceAccount: config.queue.serviceAccount,
    ...(config.tasksIssuer === undefined ? {} : { issuer: config.tasksIssuer }),
    onRefused: (reason) => log.log('warn', 'identity token refused', { component: 'auth', action: 'token_refused', error: reason }),
  });
}
