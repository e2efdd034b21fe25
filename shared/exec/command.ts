/**
 * The process that an execution starts in the container. Pure.
 *
 * @module
 */
import type { ExecuteRequest } from './execute-request.ts';

/**
 * Changes the folder, sets the variables, becomes the command. What the caller gave comes as arguments, never as text of the script.
 * Not by `env`: it would take a program called `a=b` for a variable.
 */
const ENTER = [
  'cd -- "$1" || exit 126',
  '__berth_left=$2; shift 2',
  'while [ "$__berth_left" -gt 0 ]; do export "$1"; shift; __berth_left=$((__berth_left - 1)); done',
  'unset __berth_left; exec "$@"',
].join('; ');

/** `command` runs by `sh -c`, `argv` as it is. A folder or variables of its own need a shell in the image. */
export function commandLine(request: Pick<ExecuteRequest, 'command' | 'argv' | 'cwd' | 'env'>): readonly string[] {
  const program = request.command === undefined ? (request.argv ?? []) : ['sh', '-c', request.command];
  if (request.cwd === undefined && request.env === undefined) return program;
  const variables = Object.entries(request.env ?? {}).map(([name, value]) => `${name}=${value}`);
  // `cd -` goes back to the folder before, wherever that is.
  const folder = request.cwd === '-' ? './-' : (request.cwd ?? '.');
  return ['sh', '-c', ENTER, 'sh', folder, String(variables.length), ...variables, ...program];
}
