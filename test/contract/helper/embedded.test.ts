import { startEmbeddedCluster } from '../../fakes/embedded-cluster.ts';
import { describeCluster } from './suite.ts';

// Images of the embedded cluster show the machine's own programs, so busybox is played by the one that is the smallest in the real world.
describeCluster(
  'the embedded cluster',
  async () => {
    const cluster = await startEmbeddedCluster();
    return { access: { type: 'kubeconfig', file: cluster.kubeconfigFile }, capabilities: cluster.capabilities, stop: () => cluster.stop() };
  },
  [
    { title: 'Debian', image: 'python:3.11-slim', shell: true, listener: 'python3' },
    { title: 'Alpine', image: 'alpine:3.20', shell: true },
    { title: 'an image without a shell', image: 'berth.local/empty', shell: false, helperImage: 'berth.local/helper' },
  ],
);
