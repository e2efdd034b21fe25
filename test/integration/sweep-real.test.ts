import { describe, test } from 'vitest';
import { describeSweep } from '../fakes/sweep-suite.ts';

const kubeconfigFile = process.env['BERTH_TEST_KUBECONFIG'];

if (kubeconfigFile === undefined) {
  describe('the sweep on a real Kubernetes', () => {
    test.skip('SKIPPED: set BERTH_TEST_KUBECONFIG to a kubeconfig to run it', () => {});
  });
} else {
  // The first version there ever was is compacted within minutes.
  const connect = () => Promise.resolve({ kubeconfigFile, forgottenVersion: '1', stop: () => Promise.resolve() });
  describeSweep('the sweep on a real Kubernetes (the rest: npm run soak)', connect, { brief: true });
}
