/**
 * `npm run bench -- [suite…] [--kubeconfig FILE] [--rounds N]`: measures side by side and prints figures with their goals. Without a
 * name it runs every suite; a suite that needs a cluster says so where none is named.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { clusterSuite } from './cluster-suite.ts';
import { embeddedSuite } from './embedded-suite.ts';
import { helperSuite } from './helper-suite.ts';
import { importSuite } from './import-suite.ts';
import { formatFigures, keepResult, type SuiteResult } from './report.ts';
import type { SuiteOptions } from './suite.ts';

const SUITES: Readonly<Record<string, (options: SuiteOptions) => Promise<SuiteResult>>> = {
  import: importSuite,
  embedded: embeddedSuite,
  sessions: clusterSuite,
  helper: helperSuite,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kubeconfig: { type: 'string' }, rounds: { type: 'string' } },
});
const unknown = positionals.filter((name) => SUITES[name] === undefined);
if (unknown.length > 0) {
  console.error(`No suite is called ${unknown.join(', ')}; there are: ${Object.keys(SUITES).join(', ')}`);
  process.exit(2);
}

/** One line that is overwritten, on a terminal only. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${text}`);
}

const options: SuiteOptions = {
  kubeconfig: values.kubeconfig ?? process.env['BERTH_TEST_KUBECONFIG'],
  rounds: values.rounds === undefined ? undefined : Number.parseInt(values.rounds, 10),
  progress,
};
const startedAt = new Date();
for (const [name, suite] of Object.entries(SUITES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  console.log(`\n${name}`);
  const result = await suite(options);
  progress('');
  for (const line of formatFigures(result.figures)) console.log(`  ${line}`);
  for (const line of result.missing ?? []) console.log(`  NOT MEASURED: ${line}`);
  if (result.figures.length > 0) console.log(`  samples: ${await keepResult(name, startedAt, result)}`);
}
