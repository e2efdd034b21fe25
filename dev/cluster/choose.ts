/**
 * Which cluster the pods of this machine go to: decided once, at start.
 *
 * @module
 */
import { join, resolve } from 'node:path';
import type { Config } from '../../shared/config.ts';
import type { ClusterAccess } from '../../shared/kubernetes/access.ts';
import { bucketsFolder } from '../../shared/storage/open-buckets.ts';
import { attachCluster, type AttachedCluster } from './attach.ts';

export interface ChosenCluster {
  readonly access: ClusterAccess;
  /** Chosen, or standing in for another. */
  readonly embedded: boolean;
  readonly description: string;
  /** Shown at start, in `/readyz` and in every session. */
  readonly warnings: readonly string[];
  /** Resolves when the embedded cluster has ended without having been asked; never for another one. */
  readonly lost: Promise<void>;
  end(): Promise<void>;
}

/** Throws where the embedded cluster does not start, or where the chosen cluster refuses and nothing may stand in for it. */
export async function chooseCluster(config: Config): Promise<ChosenCluster> {
  const { cluster } = config;
  if (cluster.type === 'embedded') return embedded(config, []);
  const access = cluster;
  if (!config.clusterFallback) return external(access);
  const refusal = await refusalOf(access);
  if (refusal === undefined) return external(access);
  return embedded(config, [`The embedded cluster stands in for ${describe(access)}, which refused at start: ${refusal}`]);
}

const ORIGINS: Readonly<Record<AttachedCluster['origin'], string>> = {
  started: '',
  adopted: ', still running from the last start',
  replaced: ', started anew for its changed images or runtime',
};

function external(access: ClusterAccess): ChosenCluster {
  return { access, embedded: false, description: describe(access), warnings: [], lost: new Promise(() => {}), end: async () => {} };
}

async function embedded(config: Config, warnings: readonly string[]): Promise<ChosenCluster> {
  const directory = join(config.dataDirectory, 'cluster');
  const buckets = resolve(bucketsFolder(config.dataDirectory));
  const attached = await attachCluster({ directory, buckets, images: config.devImages, runtime: config.devRuntime });
  return {
    access: { type: 'kubeconfig', file: attached.kubeconfigFile },
    embedded: true,
    description: `embedded${ORIGINS[attached.origin]} (KUBECONFIG=${attached.kubeconfigFile})`,
    warnings: [...warnings, ...attached.warnings],
    lost: attached.lost,
    end: () => attached.end(),
  };
}

function describe(access: ClusterAccess): string {
  switch (access.type) {
    case 'kubeconfig':
      return `the cluster of ${access.file}`;
    case 'in-cluster':
      return 'the cluster this process runs in';
    case 'gke':
      return `GKE ${access.project}/${access.location}/${access.name}`;
  }
}

async function refusalOf(access: ClusterAccess): Promise<string | undefined> {
  try {
    const { connectKubernetes } = await import('../../shared/kubernetes/client.ts');
    const kubernetes = await connectKubernetes(access);
    try {
      await kubernetes.version.getCode();
    } finally {
      await kubernetes.close();
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
