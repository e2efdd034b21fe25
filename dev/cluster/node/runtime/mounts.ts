/**
 * What a container sees of the machine: an allow-list. The root is a fresh tmpfs; only what is named here and the pod's own mounts are
 * in it.
 *
 * @module
 */
import { existsSync, lstatSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { NODE_FOLDER, PYTHON_FOLDER } from '../images.ts';
import { StartError } from './port.ts';
import type { Mount } from './port.ts';
import { HELPER_PATH } from './scripts.ts';

const SYSTEM_FOLDERS = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/etc', '/opt', '/nix'];
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/** Folders that are the container's own: a pod may mount on them or below, as it may on any path that the machine's folders do not take. */
const SHARED_MEMORY = '/dev/shm';
const PRIVATE_FOLDERS = ['/tmp', '/var/tmp', SHARED_MEMORY];

export interface MountPoint {
  readonly path: string;
  /** `ro,noexec,...`: the flags that a user namespace must repeat when it mounts again what lies there. */
  readonly options: readonly string[];
}

/** What every container on this machine has; found once. */
export interface BaseSystem {
  readonly binds: readonly Mount[];
  /** Links at the root, such as `/bin` to `usr/bin`. */
  readonly links: readonly { readonly path: string; readonly to: string }[];
  /** Paths of `binds` that are files. */
  readonly files: readonly string[];
  readonly mountPoints: readonly MountPoint[];
  /** Folders that each container has for itself, unless a volume takes their place. */
  readonly privateFolders: readonly string[];
  /** Further folders, empty ones. */
  readonly folders: readonly string[];
}

/** `helper`: the machine's, which every container has at `HELPER_PATH`. */
export function readBaseSystem(helper: string | undefined, nodePath: string = process.execPath): BaseSystem {
  const present = SYSTEM_FOLDERS.filter((path) => existsSync(path));
  const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();
  const folders = present.filter((path) => !isLink(path));
  const inside = (path: string): boolean => folders.some((folder) => path.startsWith(`${folder}/`));
  const binds = folders.map((path): Mount => ({ source: path, target: path, readOnly: true }));
  const files: Mount[] = [{ source: realpathSync(nodePath), target: `${NODE_FOLDER}/node`, readOnly: true }];
  // On many machines it is a link into /run, which containers do not see.
  const resolver = existsSync('/etc/resolv.conf') ? realpathSync('/etc/resolv.conf') : undefined;
  if (resolver !== undefined && !inside(resolver)) files.push({ source: resolver, target: resolver, readOnly: true });
  if (helper !== undefined) files.push({ source: helper, target: HELPER_PATH, readOnly: true });
  const python = ['/usr/local/bin/python3', '/usr/bin/python3', '/bin/python3'].find((path) => existsSync(path));
  return {
    binds: [...binds, ...files],
    links: [
      ...present.filter(isLink).map((path) => ({ path, to: readlinkSync(path) })),
      ...(python === undefined ? [] : [{ path: `${PYTHON_FOLDER}/python`, to: python }]),
    ],
    files: files.map(({ target }) => target),
    mountPoints: existsSync('/proc/self/mountinfo') ? parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')) : [],
    privateFolders: PRIVATE_FOLDERS,
    folders: ['/root', '/home', '/run', '/sys'],
  };
}

/** What a container without any file of an image has: the helper, and the two files that a kubelet puts into every container. */
export function emptySystem({ binds, mountPoints }: BaseSystem): BaseSystem {
  const kept = binds.filter(({ target }) => target === HELPER_PATH);
  for (const target of ['/etc/hosts', '/etc/resolv.conf'])
    if (existsSync(target)) kept.push({ source: realpathSync(target), target, readOnly: true });
  return {
    binds: kept,
    links: [],
    files: kept.map(({ target }) => target),
    mountPoints,
    privateFolders: [SHARED_MEMORY],
    folders: ['/sys'],
  };
}

/** https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html: the fifth field is the path, the sixth its options. */
export function parseMountInfo(text: string): readonly MountPoint[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ');
      const path = (fields[4] ?? '').replaceAll(/\\(\d{3})/g, (_match, code: string) => String.fromCodePoint(Number.parseInt(code, 8)));
      return { path, options: (fields[5] ?? '').split(',') };
    });
}

/** The mount points in a tree that is bound read-only: each has to be made read-only by itself. */
export function nestedMounts({ binds, mountPoints }: BaseSystem): readonly MountPoint[] {
  return mountPoints.filter(({ path }) => binds.some(({ target, source }) => target === source && path.startsWith(`${target}/`)));
}

/** Those flags of the mount at `path` that may not be lost when it is mounted again in a user namespace. */
export function keptFlags({ mountPoints }: BaseSystem, path: string): readonly string[] {
  let best: MountPoint | undefined;
  for (const point of mountPoints) {
    const covers = point.path === '/' || path === point.path || path.startsWith(`${point.path}/`);
    if (covers && point.path.length >= (best?.path.length ?? 0)) best = point;
  }
  return (best?.options ?? []).filter((option) => ['noexec', 'noatime', 'nodiratime'].includes(option));
}

/** Throws `StartError` where a pod's mount lies on what a container has from the machine. A mount under another one comes after it. */
export function checkMounts(mounts: readonly Mount[], { binds, links }: BaseSystem): readonly Mount[] {
  const taken = ['/proc', '/sys', '/dev', ...binds.map(({ target }) => target), ...links.map(({ path }) => path)];
  for (const { target } of mounts) {
    const owner = PRIVATE_FOLDERS.includes(target)
      ? undefined
      : taken.find((path) => target === path || target.startsWith(`${path}/`) || path.startsWith(`${target}/`));
    if (target !== '/' && owner === undefined && /^\/[^\n]*$/.test(target) && !target.split('/').includes('..')) continue;
    const reason = owner === undefined ? 'is not a path to mount on' : `lies on ${owner}, which shows the machine's own files read-only`;
    throw new StartError(
      'CreateContainerError',
      `failed to create containerd container: mountPath "${target}" ${reason}; choose another path`,
    );
  }
  return mounts.toSorted((left, right) => left.target.length - right.target.length);
}

/** The private folders that no mount of the pod takes. */
export function freePrivateFolders({ privateFolders }: BaseSystem, mounts: readonly Mount[]): readonly string[] {
  return privateFolders.filter((path) => !mounts.some(({ target }) => target === path));
}

export const devices: readonly string[] = DEVICES.map((name) => `/dev/${name}`);

/** The folders to make for a bind: its own path, or that of the folder a file lies in. */
export function mountPointFolder(target: string, { files }: BaseSystem): string {
  return files.includes(target) ? dirname(target) : target;
}
