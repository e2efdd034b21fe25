/**
 * The process that an execution starts in the container. Pure.
 *
 * @module
 */
import type { ExecuteRequest } from './execute-request.ts';

/** Changes the folder, then becomes the command with its variables set. What the caller gave comes as arguments, never as text of the script. */
const ENTER = 'cd -- "$1" || exit 126; shift; exec env "$@"';

/** `command` runs by `sh -c`, `argv` as it is. A folder or variables of its own need a shell and `env` in the image. */
export function commandLine(request: Pick<ExecuteRequest, 'command' | 'argv' | 'cwd' | 'env'>): readonly string[] {
  const program = request.command === undefined ? (request.argv ?? []) : ['sh', '-c', request.command];
  if (request.cwd === undefined && request.env === undefined) return program;
  const variables = Object.entries(request.env ?? {}).map(([name, value]) => `${name}=${value}`);
  return ['sh', '-c', ENTER, 'sh', request.cwd ?? '.', ...variables, ...program];
}
