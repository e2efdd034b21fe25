/**
 * Looks at store and cluster of a running `npm start` from outside, and changes nothing.
 */
import { join } from 'node:path';
import type { Deps } from '../../shared/deps.ts';
import { openStore } from '../../shared/documents/open-store.ts';
import { connectKubernetes } from '../../shared/kubernetes/client.ts';

export interface Observer {
  readonly deps: Pick<Deps, 'store' | 'kubernetes' | 'installation'>;
  end(): Promise<void>;
}

export async function startObserver(dataDirectory: string): Promise<Observer> {
  const opened = await openStore({ store: { type: 'sqlite' }, cluster: { type: 'embedded' }, dataDirectory });
  const identity = await opened.store.get<{ installation: string }>({ collection: 'installation', id: 'identity' });
  const kubernetes = await connectKubernetes({ type: 'kubeconfig', file: join(dataDirectory, 'cluster', 'kubeconfig') });
  return {
    deps: { store: opened.store, installation: identity?.data.installation ?? '', kubernetes: () => Promise.resolve(kubernetes) },
    end: async () => {
      await kubernetes.close();
      await opened.close();
    },
  };
}
