/**
 * Containers by util-linux alone (2.36 or newer): `unshare`, `mount`, `pivot_root`, `nsenter`, `setpriv`.
 *
 * @module
 */
import { mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { identify } from './identity.ts';
import { mountTable } from './mount-table.ts';
import { checkMounts, devices, mountPointFolder, nestedMounts } from './mounts.ts';
import type { BaseSystem } from './mounts.ts';
import { startNamespaced } from './namespaced.ts';
import type { PipePool } from './pipes.ts';
import type { ContainerSpec, Mount, Runtime } from './port.ts';
import { BUILD_ROOT } from './scripts.ts';

export interface UnshareOptions {
  /** For what the runtime itself keeps; made if need be. */
  readonly folder: string;
  readonly base: BaseSystem;
  readonly pipes: PipePool;
  readonly nodeId: string;
  /** The cluster does not run as root. */
  readonly rootless: boolean;
}

const NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--ipc', '--uts'];
const BUILDER = ['unshare', ...NAMESPACES, '--', '/bin/sh', '-c', BUILD_ROOT, 'sh'];

export function createUnshareRuntime({ folder, base, pipes, nodeId, rootless }: UnshareOptions): Runtime {
  const root = join(folder, 'root');
  const skeleton = join(folder, 'skeleton');
  const tables = join(folder, 'tables');
  rmSync(folder, { recursive: true, force: true });
  for (const path of [root, tables]) mkdirSync(path, { recursive: true, mode: 0o700 });
  makeSkeleton(skeleton, base);
  const readOnly = nestedMounts(base).map(
    ({ path, options }) => `${['ro', 'nosuid', 'nodev', ...options.filter((option) => option === 'noexec')].join(',')}:${root}${path}`,
  );

  return {
    name: 'unshare',
    async start(spec) {
      const mounts = checkMounts(spec.mounts, base);
      const identity = identify(spec.user, rootless);
      const table = join(tables, spec.id);
      writeFileSync(table, mountTable(root, base, mounts));
      try {
        return await startNamespaced(pipes, {
          spec,
          identity,
          nodeId,
          builder: BUILDER,
          builderVariables: {
            BERTH_ROOT: root,
            BERTH_SKELETON: skeleton,
            BERTH_TABLE: table,
            BERTH_HOSTNAME: spec.hostname,
            BERTH_READ_ONLY: readOnly.join('\n'),
            ...mountPoints(spec, mounts),
          },
        });
      } finally {
        rmSync(table, { force: true });
      }
    },
  };
}

/** What every root starts as: links, folders and empty files to mount on. */
function makeSkeleton(skeleton: string, base: BaseSystem): void {
  const folders = [
    '/proc',
    '/sys',
    '/dev/pts',
    '/dev/shm',
    '/tmp',
    '/var/tmp',
    '/root',
    '/home',
    '/run',
    ...base.binds.map(({ target }) => mountPointFolder(target, base)),
  ];
  for (const path of folders) mkdirSync(skeleton + path, { recursive: true, mode: 0o755 });
  for (const path of [...devices, ...base.files]) writeFileSync(skeleton + path, '');
  const links = [
    ...base.links,
    { path: '/dev/ptmx', to: 'pts/ptmx' },
    { path: '/dev/fd', to: '/proc/self/fd' },
    { path: '/dev/stdin', to: '/proc/self/fd/0' },
    { path: '/dev/stdout', to: '/proc/self/fd/1' },
    { path: '/dev/stderr', to: '/proc/self/fd/2' },
  ];
  for (const { path, to } of links) {
    mkdirSync(dirname(skeleton + path), { recursive: true, mode: 0o755 });
    symlinkSync(to, skeleton + path);
  }
}

/** Relative to the new root. */
function mountPoints({ directory }: ContainerSpec, mounts: readonly Mount[]): Record<string, string> {
  const files = mounts.filter(({ source }) => !statSync(source).isDirectory()).map(({ target }) => target);
  const folders = mounts.map(({ target }) => (files.includes(target) ? dirname(target) : target));
  // A runtime makes a working directory that the image does not have.
  const wanted = [...folders, ...(directory.includes('\n') ? [] : [directory])];
  return { BERTH_DIRECTORIES: wanted.map((path) => `.${path}`).join('\n'), BERTH_FILES: files.map((path) => `.${path}`).join('\n') };
}
