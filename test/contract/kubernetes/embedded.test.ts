import { startEmbeddedCluster } from '../../fakes/embedded-cluster.ts';
import { callOptions } from '../../../shared/kubernetes/call-options.ts';
import type { Rig } from './rig.ts';
import { describeKubernetes } from './suite.ts';

// The embedded cluster keeps the last 2,048 changes at least, and 4,096 at most.
const HISTORY = 4_096;

describeKubernetes('the embedded cluster', async () => {
  const cluster = await startEmbeddedCluster();
  return {
    access: { type: 'kubeconfig', file: cluster.kubeconfigFile },
    capabilities: cluster.capabilities,
    forgotten: outlastHistory,
    stop: () => cluster.stop(),
  };
});

async function outlastHistory(rig: Rig): Promise<{ path: string; resourceVersion: string }> {
  const { core } = rig.kubernetes;
  const namespace = await rig.bareNamespace();
  const { metadata } = await core.createNamespacedSecret({ namespace, body: { metadata: { name: 'busy' } } });
  let changes = 0;
  const change = async (): Promise<void> => {
    while (changes <= HISTORY) {
      changes += 1;
      const body = { metadata: { labels: { changes: String(changes) } } };
      await core.patchNamespacedSecret({ namespace, name: 'busy', body }, callOptions({ patch: 'merge' }));
    }
  };
  await Promise.all([change(), change(), change(), change()]);
  return { path: `/api/v1/namespaces/${namespace}/secrets`, resourceVersion: metadata?.resourceVersion ?? '' };
}
