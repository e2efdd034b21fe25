/**
 * Why a helper did not get into a container, or did not start there, in words.
 *
 * @module
 */
import { AppError } from '../errors/app-error.ts';
import type { ExecExit } from '../kubernetes/port.ts';
import { scriptExits } from './delivery-script.ts';
import { printable } from './errors.ts';
import { restarting, saysNotRunning, unreachable } from './opening.ts';

// runc's own files are missing too where a container ends at this moment, so the program has to be named.
const NO_SHELL = /exec: "sh": (?:executable file not found|.*no such file or directory)/;
const NO_PROGRAM = /exec: "[^"]*": .*(?:not found|no such file or directory|permission denied|exec format error|is a directory)/;
const READ_ONLY = /read-only file system/i;
const FULL = /no space left|disk quota exceeded/i;
/** 128 and the signals that end a container: KILL, TERM. */
const ended: ReadonlySet<number> = new Set([137, 143]);
const damaged: ReadonlySet<number> = new Set([scriptExits.cut, scriptExits.size]);

/**
 * `stderr` is what the command said last. `helper_no_shell` where the image has no `sh`; `helper_undeliverable` where trying again is of
 * no use; `pod_restarting` or `helper_unreachable` where it may be.
 */
export function deliveryFailure(exit: ExecExit, stderr: string): AppError {
  if (exit.type === 'lost') return unreachable("The connection to the session's container was lost.", new Error(exit.message));
  if (exit.type === 'failed') return notStarted(exit.message);
  const cause = new Error(`exit code ${String(exit.exitCode)}: ${printable(stderr)}`);
  if (ended.has(exit.exitCode)) return restarting(cause);
  if (damaged.has(exit.exitCode)) return unreachable('The helper did not arrive in the container as it was sent.', cause);
  if (READ_ONLY.test(stderr)) return undeliverable('Its folder in the pod is read-only.', cause);
  if (FULL.test(stderr)) return undeliverable('There is no space left for it in the pod.', cause);
  if (Object.values<number>(scriptExits).includes(exit.exitCode)) return undeliverable(said(stderr), cause);
  if (exit.exitCode === 126 || exit.exitCode === 127) return undeliverable(`It cannot be run in this container. ${said(stderr)}`, cause);
  return unreachable("The helper in the session's pod is not there.", cause);
}

/** Another architecture than the ones it is built for. */
export function noBinaryFor(machine: string): AppError {
  return undeliverable(`It is not built for ${printable(machine)}, only for Linux on x86_64 and aarch64.`);
}

function notStarted(message: string): AppError {
  const cause = new Error(message);
  if (saysNotRunning(message)) return restarting(cause);
  if (NO_SHELL.test(message))
    return new AppError('helper_no_shell', 'The image has no sh, through which the helper could come.', { cause });
  if (NO_PROGRAM.test(message)) return undeliverable(said(message), cause);
  // A kubelet or a runtime in trouble; that passes more often than not.
  return unreachable("No command could be started in the session's container.", cause);
}

const said = (words: string): string => `The container said: ${printable(words)}`;

function undeliverable(why: string, cause?: unknown): AppError {
  return new AppError('helper_undeliverable', `The helper could not be put into the session's pod. ${why}`, {
    ...(cause !== undefined && { cause }),
  });
}
