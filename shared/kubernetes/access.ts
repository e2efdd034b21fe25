/**
 * How Berth gets at a cluster: the server's address, what proves it, and the headers that prove us.
 *
 * @module
 */
import { openGke, type GkeAccess } from './access-gke.ts';
import { openInCluster, type InClusterAccess } from './access-in-cluster.ts';
import { openKubeconfig, type KubeconfigAccess } from './access-kubeconfig.ts';

/** Which cluster, by explicit configuration only: an inherited `KUBECONFIG` or `~/.kube/config` is never read. */
export type ClusterAccess = KubeconfigAccess | InClusterAccess | GkeAccess;

export interface ClusterEndpoint {
  /** Without a trailing slash: `https://10.0.0.1:6443`. */
  readonly server: string;
  readonly tls: TlsMaterial;
  /** The headers that authenticate a request. Cached; many callers at once share one refresh. */
  headers(): Promise<Readonly<Record<string, string>>>;
  /** Forgets what `headers` has cached: the server answered 401. */
  expireHeaders(): void;
}

/** As `node:tls` takes it. */
export interface TlsMaterial {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export async function openAccess(access: ClusterAccess): Promise<ClusterEndpoint> {
  switch (access.type) {
    case 'kubeconfig':
      return openKubeconfig(access);
    case 'in-cluster':
      return openInCluster(access);
    case 'gke':
      return openGke(access);
  }
}
