/**
 * `npm run sweep`: one pass now, or what it would do. Beside a running `npm start`, whose queue then runs the tasks that the pass lays, or
 * for a deployed installation.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadEnvFile } from 'node:process';
import { ConfigError, type Config } from '../shared/config.ts';
import { createDeps } from '../shared/create-deps.ts';
import { AppError } from '../shared/errors/app-error.ts';
import type { ClusterAccess } from '../shared/kubernetes/access.ts';
import { sweep, type SweepReport } from '../shared/sweep/sweep.ts';
import { readEndpoint } from './cluster/endpoint.ts';
import { parseSweepCommand, sweepUsage, type SweepCommand } from './sweep-options.ts';

/** The embedded cluster belongs to `npm start`: it is reached while that runs, and never started here. */
function embeddedAccess(config: Config): ClusterAccess | undefined {
  if (config.cluster.type !== 'embedded') return undefined;
  const endpoint = readEndpoint(join(config.dataDirectory, 'cluster'));
  if (endpoint === undefined) {
    throw new ConfigError([`BERTH_DATA_DIR: no Berth runs with ${config.dataDirectory}: start it, or name a cluster with --kubeconfig`]);
  }
  return { type: 'kubeconfig', file: endpoint.kubeconfig };
}

async function run({ config, dryRun, full }: SweepCommand): Promise<void> {
  const access = embeddedAccess(config);
  const deps = await createDeps(config, { deliver: 'elsewhere', ...(access === undefined ? {} : { access }) });
  try {
    print(await sweep(deps, { dryRun, full }));
  } finally {
    await deps.close();
  }
}

function print({ planned = [], ...report }: SweepReport): void {
  for (const action of planned) console.log(JSON.stringify(action));
  console.log(JSON.stringify(report));
  if (report.failures > 0) process.exitCode = 1;
}

async function main(): Promise<void> {
  if (existsSync('.env')) loadEnvFile('.env');
  const command = parseSweepCommand(process.argv.slice(2), process.env);
  if (command.help) console.log(sweepUsage);
  else await run(command);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof ConfigError || error instanceof AppError ? error.message : error);
  process.exitCode = 1;
}
