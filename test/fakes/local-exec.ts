/**
 * A command on this machine as if it ran in a container.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { ExecExit, ExecStream } from '../../shared/kubernetes/port.ts';

export function execLocally(command: readonly string[], env: Readonly<Record<string, string>>): ExecStream {
  const [program = '', ...words] = command;
  const child = spawn(program, words, { env: { PATH: process.env['PATH'] ?? '', ...env } });
  child.stdin.on('error', () => undefined);
  const exit = ended(child);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    halfClose: true,
    resize: () => undefined,
    exit,
    get duplex() {
      return Duplex.from({ readable: child.stdout, writable: child.stdin });
    },
    close: () => void child.kill(),
  };
}

async function ended(child: ReturnType<typeof spawn>): Promise<ExecExit> {
  try {
    const [exitCode] = (await once(child, 'close')) as [number | null];
    return exitCode === null ? { type: 'lost', message: 'killed' } : { type: 'exited', exitCode };
  } catch (error) {
    const message =
      error instanceof Error && 'code' in error && error.code === 'ENOENT'
        ? `exec: "${child.spawnfile}": executable file not found in $PATH`
        : String(error);
    return { type: 'failed', reason: 'InternalError', message };
  }
}
