/**
 * `npm run check`: everything that can be said about the code without a server. Two checks at a time; each one's output is shown
 * only where it failed; what it skipped is always told. `npm run check -- lint types` runs the named ones.
 *
 * @module
 */
import { spawn } from 'node:child_process';

interface Check {
  readonly name: string;
  /** A program and its arguments as `node24.mjs` takes them. */
  readonly command: readonly string[];
  /** What a developer does about a failure. */
  readonly remedy: string;
}

interface Outcome {
  readonly check: Check;
  readonly passed: boolean;
  readonly seconds: number;
  readonly output: string;
}

/** The longest first, so that the two lanes end together. */
const CHECKS: readonly Check[] = [
  { name: 'helper', command: ['dev/helper-check.ts'], remedy: 'see above; npm run helper:build where the programs are old' },
  { name: 'unit', command: ['vitest', 'run', 'test/unit'], remedy: 'see the failed tests above' },
  { name: 'lint', command: ['oxlint', '--type-aware', '--threads=2'], remedy: 'npm run lint -- --fix mends some' },
  { name: 'unused', command: ['knip', '--no-progress'], remedy: 'delete it, or name it in knip.json with its reason' },
  { name: 'types', command: ['tsc', '-p', '.'], remedy: 'correct the types' },
  { name: 'openapi', command: ['dev/openapi.ts', '--check'], remedy: 'npm run openapi, and commit openapi.json' },
  { name: 'format', command: ['oxfmt', '--check', '--threads=2'], remedy: 'npm run format' },
  { name: 'imports', command: ['dev/check-imports.ts'], remedy: 'move the code, or its place in dev/layers.ts' },
];

function run(check: Check): Promise<Outcome> {
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['dev/node24.mjs', ...check.command], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (bytes: Buffer): void => {
      output += bytes.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => collect(Buffer.from(error.message)));
    child.on('close', (code) => {
      resolve({ check, passed: code === 0, seconds: (performance.now() - started) / 1000, output });
    });
  });
}

function report({ check, passed, seconds, output }: Outcome): void {
  const time = `${seconds.toFixed(1)} s`;
  if (passed) {
    // What a check left out is told although it passed.
    for (const line of output.split('\n').filter((text) => text.startsWith('SKIPPED'))) console.log(line);
    console.log(`ok      ${check.name.padEnd(8)} ${time}`);
    return;
  }
  console.log(`\n${output.trimEnd()}\nFAILED  ${check.name.padEnd(8)} ${time}: ${check.remedy}\n`);
}

/** Takes checks from the list until it is empty; two of these share one list. */
async function lane(remaining: Check[], outcomes: Outcome[]): Promise<void> {
  for (let next = remaining.shift(); next !== undefined; next = remaining.shift()) {
    const outcome = await run(next);
    report(outcome);
    outcomes.push(outcome);
  }
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !CHECKS.some((check) => check.name === name));
if (unknown.length > 0) {
  console.error(`No check is called ${unknown.join(', ')}; there are: ${CHECKS.map((check) => check.name).join(', ')}`);
  process.exit(2);
}
const started = performance.now();
const remaining = CHECKS.filter((check) => wanted.length === 0 || wanted.includes(check.name));
const outcomes: Outcome[] = [];
await Promise.all([lane(remaining, outcomes), lane(remaining, outcomes)]);
const failed = outcomes.filter((outcome) => !outcome.passed).map((outcome) => outcome.check.name);
const verdict = failed.length === 0 ? 'all checks passed' : `failed: ${failed.join(', ')}`;
console.log(`${verdict} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
process.exitCode = failed.length === 0 ? 0 : 1;
