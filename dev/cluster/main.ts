/**
 * The embedded cluster's process: the Kubernetes API, its controllers and the kubelet. Started by `attach.ts`; its one argument is the
 * JSON of `ClusterOptions`.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createHelperBinaries } from '../../shared/helper/binaries.ts';
import { takeLock } from '../lock.ts';
import { kubeconfig, openObjects, startApiServer, startControllers } from './api/index.ts';
import type { ClusterOptions } from './attach.ts';
import { createControlServer } from './control.ts';
import { removeEndpoint, writeEndpoint } from './endpoint.ts';
import { unpackMachineHelper } from './machine-helper.ts';
import { startNode } from './node/index.ts';

function log(message: string): void {
  console.log(`${new Date().toISOString()} ${message}`);
}

/** A cluster without it does all the rest, and what it cannot do is said where it is asked for. */
async function machineHelper(folder: string): Promise<string | undefined> {
  try {
    return await unpackMachineHelper(createHelperBinaries(), folder);
  } catch (error) {
    log(`no terminals, and no images without a shell: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function main(options: ClusterOptions): Promise<void> {
  const { directory } = options;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = takeLock(join(directory, 'lock'));
  if (unlock === undefined) throw new Error(`another embedded cluster runs in ${directory}`);
  const objects = openObjects(join(directory, 'objects.db'));
  const token = randomBytes(32).toString('base64url');
  const helper = await machineHelper(join(directory, 'helper'));
  const { images, runtime, buckets } = options;
  const started = await startNode({ objects, dataDirectory: directory, buckets, images, runtime, helper, log });
  const controllers = startControllers(objects, { capabilities: started.capabilities });
  const onError = (error: unknown, request: string): void => log(`${request}: ${error instanceof Error ? error.stack : String(error)}`);
  const api = await startApiServer({ objects, node: () => started.node, tokens: [token], onError });
  const kubeconfigFile = join(directory, 'kubeconfig');
  writeFileSync(kubeconfigFile, kubeconfig(api.url, token), { mode: 0o600 });

  const end = async (reason: string): Promise<void> => {
    log(`ending: ${reason}`);
    removeEndpoint(directory);
    await started.node.stop();
    controllers.close();
    await api.close();
    objects.close();
    unlock();
  };
  const controlToken = randomBytes(32).toString('base64url');
  const instance = randomBytes(32).toString('base64url');
  const control = createControlServer({
    token: controlToken,
    instance,
    onEnd: async (reason) => {
      await end(reason);
      // The answer to whoever asked goes out first.
      setTimeout(() => process.exit(0), 50);
    },
  });
  control.listen(0, '127.0.0.1');
  await once(control, 'listening');
  process.on('SIGTERM', () => void end('SIGTERM').finally(() => process.exit(0)));

  writeEndpoint(directory, {
    pid: process.pid,
    control: `http://127.0.0.1:${(control.address() as AddressInfo).port}`,
    controlToken,
    instance,
    options: { images: [...options.images], runtime: options.runtime },
    kubeconfig: kubeconfigFile,
    capabilities: started.capabilities,
    warnings: started.warnings,
  });
  log(`ready: ${api.url}, pid ${process.pid}`);
  // Whoever started it may have been killed meanwhile; the next start takes it over, or it ends by itself.
  process.send?.('ready', undefined, undefined, () => {});
}

await main(JSON.parse(process.argv[2] ?? '{}') as ClusterOptions);
