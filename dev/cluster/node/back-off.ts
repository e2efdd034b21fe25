/**
 * When a container starts again: the kubelet's rules, as pure decisions.
 *
 * @module
 */
const FIRST_SECONDS = 10;
const LONGEST_SECONDS = 300;
/** A container that ran this long has recovered: its next crash counts as the first. */
const RECOVERED_SECONDS = 600;

/** The delay before the next start, after a delay of `previousSeconds` and a run of `ranSeconds`; `undefined` before the first crash. */
export function nextDelaySeconds(previousSeconds: number | undefined, ranSeconds: number): number {
  if (previousSeconds === undefined || ranSeconds >= RECOVERED_SECONDS) return 0;
  return Math.min(LONGEST_SECONDS, previousSeconds === 0 ? FIRST_SECONDS : previousSeconds * 2);
}

/** Whether a container that ended with this code starts again. `Always` is the default of a pod. */
export function restarts(policy: string | undefined, exitCode: number): boolean {
  if (policy === 'Never') return false;
  return policy !== 'OnFailure' || exitCode !== 0;
}

/** The words of the kubelet about a container that waits for its next start: `10s`, `2m40s`, `5m0s`. */
export function describeDelay(seconds: number): string {
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
