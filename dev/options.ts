/**
 * The command line of `npm start`, joined with the environment. Pure.
 *
 * @module
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError, parseConfig, type Config } from '../shared/config.ts';

export const usage = `Usage: npm start -- [options]

  --kubeconfig FILE   put the pods on this cluster instead of the embedded one
  --context NAME      the context in that file
  --port PORT         default 8080; 0 takes a free one
  --data-dir DIR      default .berth
  --help`;

export interface StartOptions {
  readonly help: boolean;
  readonly config: Config;
}

/**
 * Flags win over variables. An inherited KUBECONFIG is never read: nobody starts pods in production by accident. Throws `ConfigError`.
 */
export function parseStartOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): StartOptions {
  const { values } = parse(argv);
  const config = parseConfig({
    ...env,
    ...(values.kubeconfig === undefined
      ? {}
      : { BERTH_KUBECONFIG: values.kubeconfig, BERTH_CLUSTER: env['BERTH_CLUSTER'] === 'auto' ? 'auto' : 'kubeconfig' }),
    ...(values.context === undefined ? {} : { BERTH_KUBECONFIG_CONTEXT: values.context }),
    ...(values.port === undefined ? {} : { PORT: values.port }),
    ...(values['data-dir'] === undefined ? {} : { BERTH_DATA_DIR: values['data-dir'] }),
  });
  return { help: values.help === true, config: { ...config, dataDirectory: resolve(config.dataDirectory) } };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        port: { type: 'string' },
        'data-dir': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error), usage]);
  }
}
