import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, test } from 'vitest';
import { buildEmptyImage, buildHelperImage } from '../../../dev/helper-image.ts';
import { openAccess } from '../../../shared/kubernetes/access.ts';
import { createTransport } from '../../../shared/kubernetes/transport.ts';
import { EMPTY_IMAGE, HELPER_IMAGE } from './empty-images.ts';
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
  const emptyImages = await importImages();
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
    capabilities: {
      sandbox: true,
      pidNamespace: true,
      networkPolicy: true,
      memoryLimit: true,
      registry: true,
      emptyImages,
      memoryVolumes: true,
    },
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

/** Brings the images without a shell into the node. Resolves to whether there is a way to do so. */
async function importImages(): Promise<boolean> {
  const program = join(process.env['BERTH_TOOLS'] ?? '../shared/tools', 'kubernetes/import');
  if (!existsSync(program)) return false;
  const folder = await mkdtemp(join(tmpdir(), 'berth-images-'));
  try {
    const images = [await buildHelperImage(HELPER_IMAGE), buildEmptyImage(EMPTY_IMAGE)];
    const files = images.map((_image, index) => join(folder, `${String(index)}.tar`));
    await Promise.all(images.map((image, index) => writeFile(files[index] ?? '', image)));
    await promisify(execFile)(program, files);
    return true;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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
