/**
 * Without a mount namespace a volume is where the machine has it, so what a pod says about its mount paths is rewritten.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Mount } from './port.ts';

/**
 * Short links to volumes. The path of a socket holds 107 bytes (103 on macOS, https://man7.org/linux/man-pages/man7/unix.7.html), and that
 * of a pod's folder may take most of them.
 */
export class ShortPaths {
  readonly #folder: string;

  /** `folder` is for these links alone, and emptied: nothing that was started with them runs any more. */
  constructor(folder: string) {
    this.#folder = folder;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true, mode: 0o755 });
  }

  /** The same mounts by their links, which are the same ones whenever a container of the pod starts. */
  link(mounts: readonly Mount[]): readonly Mount[] {
    // The links of pods that are gone lead nowhere.
    for (const name of readdirSync(this.#folder)) if (!existsSync(join(this.#folder, name))) rmSync(join(this.#folder, name));
    return mounts.map((mount) => {
      const link = join(this.#folder, createHash('sha256').update(mount.source).digest('hex').slice(0, 12));
      if (!existsSync(link)) symlinkSync(mount.source, link);
      return { ...mount, source: link };
    });
  }
}

/** Makes a mount that lies within another one's path reachable there, too, as a link. What the container itself has put there stays. */
export function linkNested(mounts: readonly Mount[]): void {
  for (const { source, target } of mounts) {
    const outer = mounts
      .filter((mount) => target.startsWith(`${mount.target}/`))
      .toSorted((left, right) => right.target.length - left.target.length)[0];
    if (outer === undefined || outer.readOnly) continue;
    const link = join(outer.source, target.slice(outer.target.length));
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(source, link);
  }
}

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
