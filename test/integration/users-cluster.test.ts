import { afterAll, beforeAll, describe } from 'vitest';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { describeUsers } from '../fakes/users-suite.ts';

describe('users on the embedded cluster', () => {
  let cluster: EmbeddedCluster;
  beforeAll(async () => {
    cluster = await startEmbeddedCluster();
  });
  afterAll(async () => cluster.stop());
  describeUsers(() => cluster.kubeconfigFile);
});

const kubeconfig = process.env['BERTH_TEST_KUBECONFIG'];
const missing = kubeconfig === undefined ? 'SKIPPED: users on a real cluster. Set BERTH_TEST_KUBECONFIG=FILE.' : undefined;

describe.skipIf(missing !== undefined)(missing ?? 'users on a real cluster', () => {
  describeUsers(() => kubeconfig ?? '');
});
