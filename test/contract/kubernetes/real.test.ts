import { describe, test } from 'vitest';
import { openAccess } from '../../../shared/kubernetes/access.ts';
import { createTransport } from '../../../shared/kubernetes/transport.ts';
import { eventually, type Cluster } from './rig.ts';
import { describeKubernetes } from './suite.ts';

const file = process.env['BERTH_TEST_KUBECONFIG'];

if (file === undefined) {
  describe('a real Kubernetes', () => {
    test.skip('fulfils the contract');
  });
} else {
  describeKubernetes('a real Kubernetes', () => connectReal(file));
}

async function connectReal(kubeconfig: string): Promise<Cluster> {
  const access = { type: 'kubeconfig', file: kubeconfig } as const;
  const transport = createTransport(await openAccess(access));
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const name = 'things.contract.berth.dev';
  const call = (method: string, path: string, body?: object) =>
    transport.fetch(
      { method, path, headers: { 'content-type': 'application/json' }, ...(body !== undefined && { body: JSON.stringify(body) }) },
      10_000,
    );
  return {
    access,
    capabilities: { sandbox: true, pidNamespace: true, networkPolicy: true, memoryLimit: true, registry: true },
    // The API server's memory of a kind begins with the kind itself, so every version before a new kind is forgotten.
    forgotten: async () => {
      await call('POST', definitions, thingDefinition(name));
      const path = '/apis/contract.berth.dev/v1/namespaces/default/things';
      await eventually(async () => (await call('GET', path)).status === 200, 10_000);
      return { path, resourceVersion: '1' };
    },
    stop: async () => {
      await call('DELETE', `${definitions}/${name}`);
      await transport.close();
    },
  };
}

function thingDefinition(name: string): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name },
    spec: {
      group: 'contract.berth.dev',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    },
  };
}
