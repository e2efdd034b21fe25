/**
 * Who holds a lease: a process, told from a later one with the same number by when it began.
 *
 * @module
 */
import { performance } from 'node:perf_hooks';

const STARTED = Math.round(performance.timeOrigin);

export function thisOwner(): string {
  return `${process.pid}-${STARTED}`;
}

/** Whether that process is no more. One that took over the number of a dead one passes for it; then the lease ends by its time. */
export function isGone(owner: string): boolean {
  const [pid, started] = owner.split('-').map(Number);
  if (pid === undefined || !Number.isInteger(pid)) return true;
  if (pid === process.pid) return started !== STARTED;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // EPERM: it lives, under another user.
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
