/**
 * What `npm run check` says about `helper/`: its format, what vet and staticcheck find, its tests with the race detector, and whether
 * the committed programs are what the source gives. Without Go it is skipped, and says so.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { hasGo, tryProgram, type Outcome } from './helper/go.ts';

interface Step {
  readonly name: string;
  readonly command: readonly [program: string, ...args: string[]];
  /** What a step prints is a finding, though it exits with 0. */
  readonly silent?: boolean;
  /** Looks at the source as it is compiled for delivery, and shares the compiled standard library with that. */
  readonly withoutC?: boolean;
}

const SOURCE = fileURLToPath(new URL('../helper', import.meta.url));

/** More would slow the other checks down, which run at the same time. */
const PROCESSES = '2';

/** The race detector is linked by a C compiler. */
function raceFlags(): string[] {
  if (spawnSync(process.env['CC'] ?? 'cc', ['--version'], { stdio: 'ignore' }).status === 0) return ['-race'];
  console.log('SKIPPED race detector: it needs a C compiler, and there is no cc');
  return [];
}

function steps(): Step[] {
  return [
    { name: 'gofmt', command: ['gofmt', '-l', '.'], silent: true },
    { name: 'vet', command: ['go', 'vet', './...'], withoutC: true },
    { name: 'staticcheck', command: ['go', 'tool', 'staticcheck', './...'], withoutC: true },
    { name: 'test', command: ['go', 'test', ...raceFlags(), '-p', PROCESSES, '-timeout', '120s', './...'] },
    { name: 'build', command: [process.execPath, fileURLToPath(new URL('helper-build.ts', import.meta.url)), '--verify'] },
  ];
}

async function run({ name, command: [program, ...args], silent, withoutC }: Step): Promise<boolean> {
  const started = performance.now();
  const env = { ...process.env, GOMAXPROCS: PROCESSES, ...(withoutC === true ? { CGO_ENABLED: '0' } : {}) };
  const { passed, output }: Outcome = await tryProgram(SOURCE, program, args, env);
  const good = passed && !(silent === true && output !== '');
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(good ? `${name}: ok, ${seconds} s` : `${name}: FAILED, ${seconds} s\n${output.trimEnd()}`);
  return good;
}

if (hasGo()) {
  for (const step of steps()) {
    if (!(await run(step))) process.exitCode = 1;
  }
} else {
  console.log('SKIPPED helper: Go is not on PATH, so nothing of helper/ was checked (CI does)');
}
