/**
 * Runs Go for `helper/`.
 *
 * @module
 */
import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Outcome {
  readonly passed: boolean;
  /** Both streams of the program, the standard output first. */
  readonly output: string;
}

/** Where Go has been installed, whatever its version: with its own way of choosing toolchains it gets the one that `go.mod` names. */
export function hasGo(): boolean {
  return spawnSync('go', ['version'], { stdio: 'ignore' }).status === 0;
}

/** Runs `go` and resolves with its standard output. Rejects with what it said where it fails. */
export async function go(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const { passed, output } = await tryProgram(folder, 'go', args, env);
  if (!passed) throw new Error(`go ${args.join(' ')}\n${output}`);
  return output;
}

/** Runs a program to its end, whatever that is. */
export async function tryProgram(
  folder: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Outcome> {
  try {
    const { stdout } = await run(program, args, { cwd: folder, env, maxBuffer: 64 << 20 });
    return { passed: true, output: stdout };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const { stdout, stderr } = error as Error & { stdout?: string; stderr?: string };
    return { passed: false, output: `${stdout ?? ''}${stderr ?? ''}`.trim() || error.message };
  }
}

/**
 * Rejects where Go is another version than the line `toolchain` of `go.mod`: another compiler makes other bytes. `GOTOOLCHAIN=local`
 * keeps Go from getting the right one by itself.
 */
export async function requireToolchain(source: string): Promise<void> {
  const wanted = /^toolchain (?<version>\S+)$/mu.exec(await readFile(join(source, 'go.mod'), 'utf8'))?.groups?.['version'];
  const found = (await go(source, ['env', 'GOVERSION'])).trim();
  if (found === wanted) return;
  throw new Error(`helper/go.mod names ${wanted ?? 'no toolchain'} and this is ${found}: install it, or unset GOTOOLCHAIN.`);
}
