import { describe } from 'vitest';
import { describeDeaths } from '../fakes/deaths-suite.ts';

const kubeconfigFile = process.env['BERTH_TEST_KUBECONFIG'];
if (kubeconfigFile === undefined) console.warn('SKIPPED: deaths on a real cluster. Set BERTH_TEST_KUBECONFIG to a kubeconfig to run them.');

describe.skipIf(kubeconfigFile === undefined)('on the real cluster', () => {
  describeDeaths(() => kubeconfigFile ?? '');
});
