/**
 * Those of a pod's volumes that have to be mounted before its containers begin: file systems in memory, and folders that lie where other
 * containers write. On the machine itself they cannot be mounted: an ordinary user may not, and what a killed cluster leaves would stay. So
 * a small process holds a mount namespace with them, the pod's containers begin in it, and they are gone with that process, which is gone
 * with the cluster.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { outsideId } from './identity.ts';
import type { HeldVolume, HeldVolumes, MemoryVolume } from './port.ts';
import { NODE_VARIABLE, TOOL_PATH } from './scripts.ts';

/**
 * Mounts each `kind`, `source`, `folder` of its arguments; then waits for the end of its input, which is ours. A folder is entered first:
 * where it really is does not change any more then, whatever a container makes of the path, and it is mounted as it was entered.
 */
const HOLD = `
set -e
while [ $# -gt 0 ]; do
  case $1 in
    memory) mount -t tmpfs -o "$2" tmpfs "$3" ;;
    folder)
      cd -P -- "$2"
      [ "$(pwd -P)" = "$2" ] || { echo "a link leads out of $2" >&2; exit 1; }
      mount --no-canonicalize --bind . "$3"
      cd / ;;
  esac
  shift 3
done
echo held
exec > /dev/null
read -r line || :
`;

/** Rejects with what the tools said where the machine refuses. */
export async function holdVolumes(volumes: readonly HeldVolume[], rootless: boolean, nodeId: string): Promise<HeldVolumes> {
  const own = rootless ? ['--user', '--map-root-user'] : [];
  const mounts = volumes.flatMap((volume) =>
    volume.kind === 'memory' ? ['memory', mountOptions(volume, rootless), volume.folder] : ['folder', volume.source, volume.folder],
  );
  const [program, ...args] = ['unshare', ...own, '--mount', '--', '/bin/sh', '-c', HOLD, 'sh', ...mounts];
  const child = spawn(program, args, {
    env: { PATH: TOOL_PATH, [NODE_VARIABLE]: nodeId },
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdin.on('error', () => undefined);
  const words = text(child.stderr);
  const held = await Promise.race([once(child.stdout, 'data').then(() => true), once(child, 'exit').then(() => false)]);
  if (!held) throw new Error(`the mounts of the pod were refused: ${(await words).trim()}`);
  const join = [...(rootless ? [`--user=/proc/${child.pid}/ns/user`, '--preserve-credentials'] : []), `--mount=/proc/${child.pid}/ns/mnt`];
  return { enter: ['nsenter', ...join, '--'], release: () => child.stdin.end() };
}

/** As a kubelet makes them: open to everyone inside, of the pod's group where it has one. An ordinary user can give nothing to a group. */
function mountOptions({ sizeBytes, group }: MemoryVolume, rootless: boolean): string {
  const size = sizeBytes === undefined ? [] : [`size=${Math.ceil(sizeBytes)}`];
  const owner = group === undefined || rootless ? ['mode=1777'] : ['mode=3777', `gid=${outsideId(group)}`];
  return [...size, ...owner, 'nosuid', 'nodev'].join(',');
}
