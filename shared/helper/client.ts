/**
 * What a session's helper can do, over whatever channel leads to it. Everything ends with its signal; errors are `AppError`s.
 *
 * @module
 */
import { createExecutions, type Executions } from './client-executions.ts';
import { createFiles, type Files } from './client-files.ts';
import { createJobs, type Jobs } from './client-jobs.ts';
import { createPorts, type Ports } from './client-ports.ts';
import { createCaller, type ChannelOf } from './client-request.ts';
import { createTerminals, type Terminals } from './client-terminals.ts';
import { healthSchema, statsSchema, type Health, type HelperStats } from './protocol.ts';

export interface HelperClient {
  health(signal: AbortSignal): Promise<Health>;
  stats(signal: AbortSignal): Promise<HelperStats>;
  readonly executions: Executions;
  readonly terminals: Terminals;
  readonly jobs: Jobs;
  readonly files: Files;
  readonly ports: Ports;
}

/**
 * `channelOf` is asked before each request, and again where a channel was lost.
 *
 * @example createHelperClient((signal) => pool.channel(target, signal))
 */
export function createHelperClient(channelOf: ChannelOf): HelperClient {
  const caller = createCaller(channelOf);
  return {
    health: (signal) => caller.json('GET', '/health', healthSchema, { signal, repeatable: true }),
    stats: (signal) => caller.json('GET', '/stats', statsSchema, { signal, repeatable: true }),
    executions: createExecutions(caller, channelOf),
    terminals: createTerminals(caller),
    jobs: createJobs(caller),
    files: createFiles(caller),
    ports: createPorts(caller),
  };
}
