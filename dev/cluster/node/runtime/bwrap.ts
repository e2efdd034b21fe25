/**
 * Containers by bubblewrap (0.5 or newer), the tool that Flatpak uses, run as root or as root of an outer user namespace. Entering them
 * again is `nsenter`'s work, as with `unshare`.
 *
 * bwrap gives up the right to signal other users before it waits, so its death would not reach a PID 1 that runs as the pod's user (the
 * kernel checks even that). It therefore is the first process of a pid namespace of its own, which ends as a whole.
 *
 * @module
 */
import { dirname } from 'node:path';
import { checkMounts, freePrivateFolders } from './mounts.ts';
import type { BaseSystem } from './mounts.ts';
import { startNamespaced } from './namespaced.ts';
import { shellPassage } from './passage.ts';
import type { PipePool } from './pipes.ts';
import type { ContainerSpec, Mount, Runtime } from './port.ts';

/** What `setpriv` inside needs to become the container's user and to give up everything else. */
const CAPABILITIES = ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'];

export interface BwrapOptions {
  readonly base: BaseSystem;
  readonly pipes: PipePool;
  readonly nodeId: string;
  readonly helper: string | undefined;
  /** The cluster does not run as root. */
  readonly rootless: boolean;
  /** Runs the images without a program: inside bwrap's root nothing could do the last steps for an ordinary user. */
  readonly unshare: Runtime;
}

export function createBwrapRuntime({ base, pipes, nodeId, helper, rootless, unshare }: BwrapOptions): Runtime {
  return {
    ...unshare,
    name: 'bwrap',
    async start(spec) {
      if (spec.empty) return unshare.start(spec);
      const mounts = [...checkMounts(spec.mounts, base), ...spec.ownMounts];
      const passage = shellPassage(spec, rootless, helper);
      const builder = ['unshare', '--pid', '--fork', '--kill-child=KILL', '--', 'bwrap', ...bwrapArguments(spec, base, mounts), '--'];
      return startNamespaced(pipes, { spec, passage, builder, builderVariables: {}, depth: 2, nodeId });
    },
  };
}

/** `mounts`: the pod's, checked and in order. */
export function bwrapArguments({ hostname, directory }: ContainerSpec, base: BaseSystem, mounts: readonly Mount[]): readonly string[] {
  const bind = ({ source, target, readOnly }: Mount): readonly string[] => [readOnly ? '--ro-bind' : '--bind', source, target];
  // bwrap would make them for itself alone (0700).
  const folders = [...base.binds, ...mounts].map(({ target }) => dirname(target));
  const parents = new Set([...folders, ...base.links.map(({ path }) => dirname(path)), directory, ...base.folders].flatMap(ancestors));
  const ownFolders = [...parents].filter((path) => !/^\/(proc|dev)(\/|$)/.test(path)).toSorted();
  return [
    ...['--die-with-parent', '--as-pid-1', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--hostname', hostname],
    ...CAPABILITIES.flatMap((capability) => ['--cap-add', capability]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...ownFolders.flatMap((path) => ['--perms', '0755', '--dir', path]),
    ...base.binds.flatMap(bind),
    ...base.links.flatMap(({ path, to }) => ['--symlink', to, path]),
    ...freePrivateFolders(base, mounts).flatMap((path) => ['--perms', '1777', '--tmpfs', path]),
    ...mounts.flatMap(bind),
    ...['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', '/'],
  ];
}

/** The path and the folders above it, without the root: `/a/b` gives `/a`, `/a/b`. */
function ancestors(path: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.map((_part, index) => `/${parts.slice(0, index + 1).join('/')}`);
}
