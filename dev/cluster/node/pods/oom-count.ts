/**
 * The count of processes that were killed for memory, as a file for the helper in the pod: where no control group counts them, nothing else
 * tells it why its command died.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fchmodSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { V1Container } from '@kubernetes/client-node';

/** Of `helper/PROTOCOL.md`: where the helper keeps its own. */
const HELPER_FOLDER = '/berth';
const NAME = 'oom_kills';

/** Writes the count of this run into the container's volume at `/berth`; nothing happens where it has none, or has closed it. */
export function writeOomCount({ volumeMounts = [] }: V1Container, volumes: ReadonlyMap<string, string>, count: number): void {
  const mount = volumeMounts.find(({ mountPath, subPath }) => mountPath === HELPER_FOLDER && subPath === undefined);
  const folder = volumes.get(mount?.name ?? '');
  if (folder === undefined) return;
  try {
    // The container may have put a link there to lead us astray: a new file takes the name.
    const fresh = join(folder, `.${NAME}-${randomBytes(6).toString('hex')}`);
    const descriptor = openSync(fresh, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    fchmodSync(descriptor, 0o644);
    writeSync(descriptor, `${count}\n`);
    closeSync(descriptor);
    renameSync(fresh, join(folder, NAME));
  } catch {
    // Whatever the container has made of its own folder, it is told less, and the node goes on.
  }
}
