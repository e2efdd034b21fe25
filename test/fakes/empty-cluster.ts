/**
 * A cluster in which nothing of Berth's is and nothing changes; it writes down what it is asked for.
 */
import type { CoreV1Api } from '@kubernetes/client-node';
import type { ChangesOptions, Kubernetes, MetadataListOptions } from '../../shared/kubernetes/port.ts';

export interface EmptyCluster {
  readonly kubernetes: Kubernetes;
  readonly lists: MetadataListOptions[];
  readonly watches: ChangesOptions[];
}

export function emptyCluster(): EmptyCluster {
  const lists: MetadataListOptions[] = [];
  const watches: ChangesOptions[] = [];
  const core: Partial<CoreV1Api> = { listPodForAllNamespaces: () => Promise.resolve({ items: [], metadata: {} }) };
  const kubernetes: Partial<Kubernetes> = {
    core: core as CoreV1Api,
    listMetadata: (options) => {
      lists.push(options);
      return Promise.resolve({ items: [], resourceVersion: '7' });
    },
    async *changesSince(options) {
      watches.push(options);
      yield { type: 'BOOKMARK', resourceVersion: '8' };
    },
  };
  return { kubernetes: kubernetes as Kubernetes, lists, watches };
}
