import { startEmbeddedCluster } from '../fakes/embedded-cluster.ts';
import { describeHelperFaults } from '../fakes/helper-faults.ts';

describeHelperFaults('faults in a session on the embedded cluster', async () => ({ ...(await startEmbeddedCluster()), evictsSoon: true }));
