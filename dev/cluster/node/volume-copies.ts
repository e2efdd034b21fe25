/**
 * Copies of volumes' folders: a snapshot is one, and so is a volume that is made from a snapshot. A copy has its name once it is whole,
 * so what a crash has left half done is done again.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { V1PersistentVolume } from '@kubernetes/client-node';
import type { Objects } from '../port.ts';
import { RESTORED_FROM, type VolumeSnapshotContent } from '../snapshot-objects.ts';
import { persistentVolumes, snapshotContents } from './kinds.ts';
import type { NodeContext } from './pods/pod-context.ts';
import { removeFolder } from './remove-folder.ts';

const execute = promisify(execFile);

/** Follows snapshots and volumes until the returned function is called; `copied` hears that a pod may go on. */
export function followCopies({ folders, log }: NodeContext, objects: Objects, copied: () => void): () => void {
  const under = new Map<string, Promise<void>>();
  const run = (folder: string, work: () => Promise<void>): void => {
    if (under.has(folder)) return;
    const running = work()
      .catch((error: unknown) => log(`${folder} is not copied: ${String(error)}`))
      .finally(() => under.delete(folder));
    under.set(folder, running);
  };
  const unsubscribe = [
    objects.subscribe<VolumeSnapshotContent>(snapshotContents, ({ type, object }) => {
      const name = object.metadata?.name ?? '';
      const folder = join(folders.snapshots, name);
      if (type === 'DELETED') return void removeAfter(under.get(folder), folder).catch((error: unknown) => log(String(error)));
      if (object.status?.readyToUse !== true) run(folder, () => fillContent(objects, object, folders.volumes, folder));
    }),
    objects.subscribe<V1PersistentVolume>(persistentVolumes, ({ type, object }) => {
      const content = object.metadata?.annotations?.[RESTORED_FROM];
      const folder = join(folders.volumes, object.metadata?.name ?? '');
      if (type === 'DELETED' || content === undefined || existsSync(folder)) return;
      run(folder, async () => {
        await copyFolder(join(folders.snapshots, content), folder);
        copied();
      });
    }),
  ];
  return () => unsubscribe.forEach((stop) => stop());
}

async function removeAfter(running: Promise<void> | undefined, folder: string): Promise<void> {
  await running;
  await removeFolder(folder);
}

async function fillContent(objects: Objects, content: VolumeSnapshotContent, volumes: string, folder: string): Promise<void> {
  const name = content.metadata?.name ?? '';
  await copyFolder(join(volumes, content.spec?.source.volumeHandle ?? ''), folder);
  objects.update<VolumeSnapshotContent>(snapshotContents, undefined, name, (object) => {
    object.status = { ...object.status, readyToUse: true, snapshotHandle: name };
  });
}

/** With owners, modes, times and links as they are. */
async function copyFolder(from: string, to: string): Promise<void> {
  if (existsSync(to)) return;
  const partial = `${to}.partial`;
  await removeFolder(partial);
  await mkdir(partial, { recursive: true, mode: 0o700 });
  const copy = join(partial, 'copy');
  if (existsSync(from)) await execute('cp', ['-a', '--', from, copy]);
  else await mkdir(copy, { recursive: true });
  await rename(copy, to);
  await removeFolder(partial);
}
