/**
 * Containers by util-linux alone (2.36 or newer): `unshare`, `mount`, `pivot_root`, `nsenter`, `setpriv`.
 *
 * @module
 */
import { mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { holdVolumes } from './held-volumes.ts';
import { mountTable } from './mount-table.ts';
import { checkMounts, devices, emptySystem, mountPointFolder, nestedMounts } from './mounts.ts';
import type { BaseSystem } from './mounts.ts';
import { startNamespaced } from './namespaced.ts';
import { emptyPassage, shellPassage } from './passage.ts';
import type { Passage } from './passage.ts';
import type { PipePool } from './pipes.ts';
import { StartError } from './port.ts';
import type { ContainerSpec, Mount, Runtime } from './port.ts';
import { BUILD_EMPTY_ROOT, BUILD_ROOT } from './scripts.ts';

export interface UnshareOptions {
  /** For what the runtime itself keeps; made if need be. */
  readonly folder: string;
  readonly base: BaseSystem;
  readonly pipes: PipePool;
  readonly nodeId: string;
  /** The machine's; without it there are neither terminals nor images without a program. */
  readonly helper: string | undefined;
  /** The cluster does not run as root. */
  readonly rootless: boolean;
}

/** What roots of one kind are built from. */
interface Plan {
  readonly base: BaseSystem;
  readonly skeleton: string;
  /** `options:path` of what has to be made read-only by itself. */
  readonly readOnly: readonly string[];
  readonly script: string;
}

const NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--ipc', '--uts'];

export function createUnshareRuntime({ folder, base, pipes, nodeId, helper, rootless }: UnshareOptions): Runtime {
  const root = join(folder, 'root');
  const tables = join(folder, 'tables');
  rmSync(folder, { recursive: true, force: true });
  for (const path of [root, tables]) mkdirSync(path, { recursive: true, mode: 0o700 });
  const machine = plan(join(folder, 'skeleton'), root, base, BUILD_ROOT);
  const empty = plan(join(folder, 'empty-skeleton'), root, emptySystem(base), BUILD_EMPTY_ROOT);

  return {
    name: 'unshare',
    runsEmptyImages: helper !== undefined,
    holdVolumes: (volumes) => holdVolumes(volumes, rootless, nodeId),
    async start(spec) {
      const { base: shown, skeleton, readOnly, script } = spec.empty ? empty : machine;
      const mounts = [...checkMounts(spec.mounts, shown), ...spec.ownMounts];
      const passage = choosePassage(spec, rootless, helper, root);
      const table = join(tables, spec.id);
      writeFileSync(table, mountTable(root, shown, mounts));
      try {
        return await startNamespaced(pipes, {
          spec,
          passage,
          nodeId,
          builder: ['unshare', ...NAMESPACES, '--', '/bin/sh', '-c', script, 'sh'],
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

function choosePassage(spec: ContainerSpec, rootless: boolean, helper: string | undefined, root: string): Passage {
  if (!spec.empty) return shellPassage(spec, rootless, helper);
  if (helper === undefined)
    throw new StartError('CreateContainerError', 'there is no helper for this machine, so nothing runs in an empty image');
  return emptyPassage(spec, rootless, helper, root);
}

function plan(skeleton: string, root: string, base: BaseSystem, script: string): Plan {
  makeSkeleton(skeleton, base);
  const readOnly = nestedMounts(base).map(
    ({ path, options }) => `${['ro', 'nosuid', 'nodev', ...options.filter((option) => option === 'noexec')].join(',')}:${root}${path}`,
  );
  return { base, skeleton, readOnly, script };
}

/** What every root starts as: links, folders and empty files to mount on. */
function makeSkeleton(skeleton: string, base: BaseSystem): void {
  const folders = [
    '/proc',
    '/dev/pts',
    ...base.privateFolders,
    ...base.folders,
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
