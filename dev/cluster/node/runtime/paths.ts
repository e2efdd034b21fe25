/**
 * Without a mount namespace a volume is where the machine has it, so what a pod says about its mount paths is rewritten.
 *
 * @module
 */
import type { Mount } from './port.ts';

/** Replaces each mount path in a text, where it stands as a path of its own: `/workspace/a`, `X=/workspace:/b`; not `/workspaces`. */
export function rewritePaths(text: string, mounts: readonly Mount[]): string {
  const longestFirst = mounts.toSorted((left, right) => right.target.length - left.target.length);
  if (longestFirst.length === 0) return text;
  const targets = longestFirst.map(({ target }) => RegExp.escape(target)).join('|');
  // One pass, so that what was put in is not taken for a mount path again.
  return text.replaceAll(
    new RegExp(`(?<![\\w./-])(?:${targets})(?![\\w.-])`, 'g'),
    (match) => mounts.find(({ target }) => target === match)?.source ?? match,
  );
}
