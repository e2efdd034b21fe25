import { startEmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { describeSweep } from '../fakes/sweep-suite.ts';

describeSweep('the sweep on the embedded cluster', async () => {
  // A version to come is that of a data folder that is no more.
  const { kubeconfigFile, stop } = await startEmbeddedCluster();
  return { kubeconfigFile, forgottenVersion: '999999999', stop };
});
