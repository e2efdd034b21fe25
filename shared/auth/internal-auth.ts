/**
 * Which way of knowing its callers an internal unit has, by configuration.
 *
 * @module
 */
import type { Config } from '../config.ts';
import type { Logger } from '../observability/logger.ts';
import { identityTokenAuth, refuseAll, type InternalAuth } from './internal.ts';

/**
 * For a unit of its own: identity tokens made for `BERTH_TASKS_URL`, or one of `BERTH_INTERNAL_AUDIENCES`, by
 * `BERTH_TASKS_SERVICE_ACCOUNT`, which the queue, the scheduler and the trigger act as. With the local queue there is no such caller, and
 * everybody is refused.
 */
export function internalAuthOf(config: Pick<Config, 'queue' | 'tasksIssuer' | 'internalAudiences'>, log: Logger): InternalAuth {
  if (config.queue.type === 'local') return refuseAll;
  return identityTokenAuth({
    audiences: [config.queue.url, ...config.internalAudiences],
    serviceAccount: config.queue.serviceAccount,
    ...(config.tasksIssuer === undefined ? {} : { issuer: config.tasksIssuer }),
    onRefused: (reason) => log.log('warn', 'identity token refused', { component: 'auth', action: 'token_refused', error: reason }),
  });
}
