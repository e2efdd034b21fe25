/**
 * A pod's volumes in memory. A file system in memory cannot be mounted where the machine sees it: an ordinary user may not, and what a killed
 * cluster leaves would stay. So a small process holds a mount namespace with them, the pod's containers begin in it, and they are gone
 * with that process, which is gone with the cluster.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { outsideId } from './identity.ts';
import type { MemoryVolume, MemoryVolumes } from './port.ts';
import { NODE_VARIABLE, TOOL_PATH } from './scripts.ts';

/** Mounts each `options`, `folder` of its arguments; then waits for the end of its input, which is ours. */
const HOLD = `
set -e
while [ $# -gt 0 ]; do mount -t tmpfs -o "$1" tmpfs "$2"; shift 2; done
echo held
exec > /dev/null
read -r line || :
`;

/** Rejects with what the tools said where the machine refuses. */
export async function holdMemoryVolumes(volumes: readonly MemoryVolume[], rootless: boolean, nodeId: string): Promise<MemoryVolumes> {
  const own = rootless ? ['--user', '--map-root-user'] : [];
  const mounts = volumes.flatMap((volume) => [mountOptions(volume, rootless), volume.folder]);
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
  if (!held) throw new Error(`file systems in memory were refused: ${(await words).trim()}`);
  const join = [...(rootless ? [`--user=/proc/${child.pid}/ns/user`, '--preserve-credentials'] : []), `--mount=/proc/${child.pid}/ns/mnt`];
  return { enter: ['nsenter', ...join, '--'], release: () => child.stdin.end() };
}

/** As a kubelet makes them: open to everyone inside, of the pod's group where it has one. An ordinary user can give nothing to a group. */
function mountOptions({ sizeBytes, group }: MemoryVolume, rootless: boolean): string {
  const size = sizeBytes === undefined ? [] : [`size=${Math.ceil(sizeBytes)}`];
  const owner = group === undefined || rootless ? ['mode=1777'] : ['mode=3777', `gid=${outsideId(group)}`];
  return [...size, ...owner, 'nosuid', 'nodev'].join(',');
}
