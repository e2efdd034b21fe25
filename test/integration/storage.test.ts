import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { describeStorage } from '../fakes/storage-suite.ts';

describe('storage on the embedded cluster', () => {
  let cluster: EmbeddedCluster;
  beforeAll(async () => {
    cluster = await startEmbeddedCluster();
  });
  afterAll(() => cluster.stop());

  describeStorage(() => ({
    kubeconfigFile: cluster.kubeconfigFile,
    volumesFolder: join(cluster.directory, 'volumes'),
    snapshots: true,
  }));
});

const kubeconfigFile = process.env['BERTH_TEST_KUBECONFIG'];

describe.skipIf(kubeconfigFile === undefined)('storage on a real cluster', () => {
  describeStorage(() => ({ kubeconfigFile: kubeconfigFile ?? '', snapshots: false }));
});
