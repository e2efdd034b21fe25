/**
 * Where a running embedded cluster is reached; a file of mode 0600 in its folder.
 *
 * @module
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const schema = z.object({
  pid: z.int(),
  control: z.url(),
  controlToken: z.string(),
  /** Said back by the control server, which nobody else knows: another server may have got the port since. */
  instance: z.string(),
  /** What it was started with. */
  options: z.object({ images: z.array(z.string()), runtime: z.enum(['auto', 'bwrap', 'unshare', 'plain']) }),
  kubeconfig: z.string(),
  capabilities: z.object({
    sandbox: z.boolean(),
    pidNamespace: z.boolean(),
    networkPolicy: z.boolean(),
    memoryLimit: z.boolean(),
    registry: z.boolean(),
    emptyImages: z.boolean(),
    memoryVolumes: z.boolean(),
  }),
  warnings: z.array(z.string()),
});

export type Endpoint = z.output<typeof schema>;

function fileIn(directory: string): string {
  return join(directory, 'endpoint.json');
}

export function writeEndpoint(directory: string, endpoint: Endpoint): void {
  const partial = `${fileIn(directory)}.new`;
  writeFileSync(partial, JSON.stringify(endpoint), { mode: 0o600 });
  renameSync(partial, fileIn(directory));
}

export function readEndpoint(directory: string): Endpoint | undefined {
  try {
    return schema.parse(JSON.parse(readFileSync(fileIn(directory), 'utf8')));
  } catch {
    return undefined;
  }
}

export function removeEndpoint(directory: string): void {
  rmSync(fileIn(directory), { force: true });
}
