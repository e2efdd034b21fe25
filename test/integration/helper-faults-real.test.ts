import { describe, test } from 'vitest';
import { describeHelperFaults } from '../fakes/helper-faults.ts';

const kubeconfigFile = process.env['BERTH_TEST_KUBECONFIG'];

if (kubeconfigFile === undefined) {
  describe('faults in a session on a real Kubernetes', () => {
    test.skip('are told as what they are');
  });
} else {
  describeHelperFaults('faults in a session on a real Kubernetes', () =>
    Promise.resolve({
      kubeconfigFile,
      capabilities: { pidNamespace: true, memoryLimit: true },
      evictsSoon: false,
      stop: () => Promise.resolve(),
    }),
  );
}
