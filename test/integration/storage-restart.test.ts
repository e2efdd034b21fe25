/**
 * The end of the service and of the embedded cluster is to the data what a reboot is to a node's.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { attachCluster, type AttachedCluster } from '../../dev/cluster/attach.ts';
import type { Caller } from '../../shared/auth/caller.ts';
import { startLife, type Life } from '../fakes/life.ts';

const caller: Caller = { keyId: 'k', kind: 'user', user: 'alice', requestId: 'r' };

it('a session’s volume, bucket and emptyDir are as they were after both were started anew', { timeout: 90_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'berth-reboot-'));
  const bucketsFolder = join(directory, 'buckets');
  const start = async (): Promise<{ readonly cluster: AttachedCluster; readonly life: Life }> => {
    const cluster = await attachCluster({ directory: join(directory, 'cluster'), buckets: bucketsFolder, images: [], runtime: 'auto' });
    const databaseFile = join(directory, 'berth.db');
    const life = await startLife({ databaseFile, kubeconfigFile: cluster.kubeconfigFile, installation: 'reboot', bucketsFolder });
    return { cluster, life };
  };
  const execute = (life: Life, id: string, command: string) => life.services.execute(caller, id, { command }, AbortSignal.timeout(20_000));
  let world = await start();
  try {
    const body = { request_persistent_storage: true, request_bucket: true };
    const { session } = await world.life.services.createSession(caller, body, { waitSeconds: 30 });
    const written = await execute(world.life, session.id, 'echo 1 > "$HOME/file"; echo 2 > /bucket/file; echo 3 > /tmp/file');
    expect(written.success).toBe(true);
    await world.life.end();
    await world.cluster.end();

    world = await start();
    const read = async (): Promise<string> => {
      try {
        return (await execute(world.life, session.id, 'cat "$HOME/file" /bucket/file /tmp/file')).stdout;
      } catch (error) {
        return String(error);
      }
    };
    await expect.poll(read, { timeout: 30_000, interval: 200 }).toBe('1\n2\n3\n');
    await world.life.services.deleteSession(caller, session.id);
  } finally {
    await world.life.end();
    await world.cluster.end();
    await rm(directory, { recursive: true, force: true });
  }
});
