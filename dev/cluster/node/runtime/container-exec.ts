/**
 * A further command in a running container, whatever the runtime.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { NodeError } from '../../port.ts';
import type { ContainerExecOptions, ContainerProcess } from '../../port.ts';
import { launch } from './launch.ts';
import type { Outcome } from './launch.ts';
import type { PipePool } from './pipes.ts';
import { launchVariables, TOOL_PATH } from './scripts.ts';

export interface ExecContext {
  readonly pipes: PipePool;
  /** From a fresh process of ours into the container, to the launcher. Throws `NodeError` where there can be no terminal. */
  readonly enter: (terminal: boolean) => readonly string[];
  /** What `enter` itself reads. */
  readonly enterVariables: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  readonly onStart?: (pid: number, exit: Promise<number>) => void;
}

/** Rejects with `NodeError` 500 in the words of a container runtime where the command cannot be started. */
export async function execInContainer(context: ExecContext, options: ContainerExecOptions): Promise<ContainerProcess> {
  const { command, tty } = options;
  const environment = tty ? { TERM: 'xterm', ...context.environment } : context.environment;
  const launched = await launch(context.pipes, {
    argv: context.enter(tty),
    environment: {
      PATH: TOOL_PATH,
      ...context.enterVariables,
      ...launchVariables({ command, environment, directory: context.directory, terminal: tty }),
    },
    stdin: options.stdin,
    stdout: options.stdout,
    stderr: options.stderr && !tty,
    terminal: tty,
  });
  if (launched.child.pid !== undefined) context.onStart?.(launched.child.pid, launched.exit);
  const outcome = await launched.outcome;
  if (outcome.type !== 'started') {
    for (const stream of [launched.stdin, launched.stdout, launched.stderr]) stream?.destroy();
    throw new NodeError(
      500,
      'InternalError',
      `Internal error occurred: Internal error occurred: error executing command in container: failed to exec in container: failed to start exec "${randomBytes(32).toString('hex')}": OCI runtime exec failed: exec failed: unable to start container process: ${describeProblem(outcome, command, context.directory)}: unknown`,
    );
  }
  return {
    stdin: launched.stdin,
    stdout: launched.stdout,
    stderr: launched.stderr,
    resize: launched.resize,
    exitCode: launched.exit,
  };
}

/** The path of a helper that has to be there. Throws `NodeError` 500 where this machine has none. */
export function terminalHelper(helper: string | undefined): string {
  if (helper === undefined)
    throw new NodeError(500, 'InternalError', 'Internal error occurred: there is no helper for this machine to make a terminal');
  return helper;
}

/** What is wrong with a command, in the words of runc. */
export function describeProblem(outcome: Outcome, command: readonly string[], directory: string): string {
  const name = command[0] ?? '';
  if (outcome.type === 'ended') return outcome.text === '' ? 'the container has ended or takes no further process' : outcome.text;
  if (outcome.type === 'started') return '';
  if (outcome.problem === 'directory') return `chdir to cwd ("${directory}") set in config.json failed: no such file or directory`;
  if (outcome.problem === 'absent') return `exec: "${name}": stat ${name}: no such file or directory`;
  if (outcome.problem === 'denied') return `exec: "${name}": permission denied`;
  return `exec: "${name}": executable file not found in $PATH`;
}
