import { afterAll, beforeAll, describe } from 'vitest';
import { describeDeaths } from '../fakes/deaths-suite.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../fakes/embedded-cluster.ts';

describe('on the embedded cluster', () => {
  let cluster: EmbeddedCluster;

  beforeAll(async () => {
    cluster = await startEmbeddedCluster();
  });

  afterAll(() => cluster.stop());

  describeDeaths(() => cluster.kubeconfigFile);
});
