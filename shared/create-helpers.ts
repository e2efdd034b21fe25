/**
 * The channels to the helpers in the pods, with every way that leads there.
 *
 * @module
 */
import type { Clock } from './clock.ts';
import type { Config } from './config.ts';
import { createHelperBinaries } from './helper/binaries.ts';
import { createHelperPool } from './helper/pool.ts';
import type { HelperPool } from './helper/port.ts';
import { createDirectTransport } from './helper/transport-direct.ts';
import { createExecTransport } from './helper/transport-exec.ts';
import { createPortForwardTransport } from './helper/transport-port-forward.ts';
import type { Kubernetes } from './kubernetes/port.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';

export interface HelpersOptions {
  readonly config: Pick<Config, 'podChannel'>;
  readonly kubernetes: () => Promise<Kubernetes>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function createHelpers({ config, kubernetes, clock, log, metrics }: HelpersOptions): HelperPool {
  const transports = [
    createDirectTransport({ kubernetes }),
    createExecTransport({ kubernetes, binaries: createHelperBinaries() }),
    createPortForwardTransport({ kubernetes }),
  ];
  return createHelperPool({ transports, mode: config.podChannel, clock, log, metrics });
}
