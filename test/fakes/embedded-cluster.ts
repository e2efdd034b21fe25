/**
 * An embedded cluster of its own for a test, in a folder of its own.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attachCluster, type AttachedCluster, type ClusterOptions } from '../../dev/cluster/attach.ts';

export interface EmbeddedCluster {
  readonly kubeconfigFile: string;
  readonly capabilities: AttachedCluster['capabilities'];
  readonly directory: string;
  readonly bucketsFolder: string;
  stop(): Promise<void>;
}

export async function startEmbeddedCluster(options: Partial<Omit<ClusterOptions, 'directory'>> = {}): Promise<EmbeddedCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-cluster-'));
  const bucketsFolder = join(directory, 'buckets');
  const cluster = await attachCluster({ directory, buckets: bucketsFolder, images: [], runtime: 'auto', ...options });
  return {
    kubeconfigFile: cluster.kubeconfigFile,
    capabilities: cluster.capabilities,
    directory,
    bucketsFolder,
    stop: async () => {
      await cluster.end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
