/**
 * The mounts of a container as the text of an fstab: `mount -a` makes all of them in one process.
 *
 * @module
 */
import type { BaseSystem } from './mounts.ts';
import { devices, freePrivateFolders, keptFlags } from './mounts.ts';
import type { Mount } from './port.ts';

/** A line of https://man7.org/linux/man-pages/man5/fstab.5.html, where blanks and backslashes are octal. */
function line(source: string, target: string, type: string, options: readonly string[]): string {
  const escape = (path: string): string =>
    path.replaceAll(/[\s\\]/g, (character) => `\\${(character.codePointAt(0) ?? 0).toString(8).padStart(3, '0')}`);
  return `${escape(source)} ${escape(target)} ${type} ${options.join(',')} 0 0\n`;
}

/** `root`: where the new root is being built. `mounts`: the pod's, checked and in order. */
export function mountTable(root: string, base: BaseSystem, mounts: readonly Mount[]): string {
  const bind = ({ source, target, readOnly }: Mount): string => {
    // What lies within another mount needs its mount point there, once that is mounted.
    const nested = mounts.some((outer) => target.startsWith(`${outer.target}/`)) ? ['X-mount.mkdir=0755'] : [];
    return line(source, root + target, 'none', [
      'rbind',
      ...(readOnly ? ['ro'] : []),
      'nosuid',
      'nodev',
      ...keptFlags(base, source),
      ...nested,
    ]);
  };
  const tmpfs = (target: string): string => line('tmpfs', root + target, 'tmpfs', ['mode=1777', 'nosuid', 'nodev']);
  return [
    ...base.binds.map(bind),
    line('proc', `${root}/proc`, 'proc', ['nosuid', 'nodev', 'noexec']),
    ...devices.map((path) => line(path, root + path, 'none', ['bind'])),
    line('devpts', `${root}/dev/pts`, 'devpts', ['newinstance', 'ptmxmode=0666', 'mode=620', 'nosuid', 'noexec']),
    ...freePrivateFolders(base, mounts).map(tmpfs),
    ...mounts.map(bind),
  ].join('');
}
