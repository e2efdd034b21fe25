import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, test } from 'vitest';
import { buildEmptyImage, buildHelperImage } from '../../../dev/helper-image.ts';
import type { HelperCluster } from './subject.ts';
import { describeCluster } from './suite.ts';

const EMPTY_IMAGE = 'berth.local/empty:channels';
const HELPER_IMAGE = 'berth.local/helper:channels';
const file = process.env['BERTH_TEST_KUBECONFIG'];

if (file === undefined) {
  describe('the helper on a real Kubernetes', () => {
    test.skip('fulfils the contract');
  });
} else {
  describeCluster('a real Kubernetes', () => connectReal(file), [
    { title: 'Debian', image: 'python:3.11-slim', shell: true, listener: 'python3' },
    { title: 'busybox', image: 'busybox:1.36', shell: true, listener: 'nc' },
    { title: 'an image without a shell', image: EMPTY_IMAGE, shell: false, helperImage: HELPER_IMAGE },
  ]);
}

async function connectReal(kubeconfig: string): Promise<HelperCluster> {
  await importImages();
  return {
    access: { type: 'kubeconfig', file: kubeconfig },
    capabilities: { pidNamespace: true, networkPolicy: true },
    stop: () => Promise.resolve(),
  };
}

/** No registry has them: they are brought into the node itself. */
async function importImages(): Promise<void> {
  const program = join(process.env['BERTH_TOOLS'] ?? '../shared/tools', 'kubernetes/import');
  const folder = await mkdtemp(join(tmpdir(), 'berth-images-'));
  try {
    const images = [await buildHelperImage(HELPER_IMAGE), buildEmptyImage(EMPTY_IMAGE)];
    const files = images.map((_image, index) => join(folder, `${String(index)}.tar`));
    await Promise.all(images.map((image, index) => writeFile(files[index] ?? '', image)));
    await promisify(execFile)(program, files);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
