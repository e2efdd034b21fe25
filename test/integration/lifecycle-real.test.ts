import { describe, test } from 'vitest';
import { describeLifecycle } from '../fakes/lifecycle-suite.ts';

const kubeconfigFile = process.env['BERTH_TEST_KUBECONFIG'];

if (kubeconfigFile === undefined) {
  describe("a session's life on a real Kubernetes", () => {
    test.skip('SKIPPED: set BERTH_TEST_KUBECONFIG to a kubeconfig to run it', () => {});
  });
} else {
  describeLifecycle("a session's life on a real Kubernetes", () => Promise.resolve(kubeconfigFile));
}
