/**
 * The command line of `npm run sweep`. Pure.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { ConfigError, type Config } from '../shared/config.ts';
import { parseStartOptions } from './options.ts';

export const sweepUsage = `Usage: npm run sweep -- [options]

  --dry-run           only say what would be done, of everything there is
  --full              compare everything, whether that is due or not
  --kubeconfig FILE   the cluster, where it is not the embedded one of a running "npm start"
  --context NAME      the context in that file
  --data-dir DIR      default .berth
  --help

Works on the store, the queue and the cluster that the environment names, as the deployed unit does.`;

export interface SweepCommand {
  readonly help: boolean;
  readonly dryRun: boolean;
  readonly full: boolean;
  readonly config: Config;
}

/** Throws `ConfigError`. */
export function parseSweepCommand(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): SweepCommand {
  const { 'dry-run': dryRun = false, full = false, help = false, ...shared } = parse(argv);
  const others = Object.entries(shared).flatMap(([name, value]) => [`--${name}`, value]);
  return { help, dryRun, full, config: parseStartOptions(others, env).config };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        'dry-run': { type: 'boolean' },
        full: { type: 'boolean' },
        kubeconfig: { type: 'string' },
        context: { type: 'string' },
        'data-dir': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new ConfigError([error instanceof Error ? error.message : String(error), '', sweepUsage]);
  }
}
