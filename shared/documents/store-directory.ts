/**
 * Where the documents and tasks lie that are kept in a file.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Config } from '../config.ts';

/**
 * The data folder itself for the embedded cluster; for another cluster a folder of its own below it. A store knows the sessions of one
 * cluster alone, and going from one to the other and back must lose none.
 */
export function storeDirectory({ cluster, dataDirectory }: Pick<Config, 'cluster' | 'dataDirectory'>): string {
  if (cluster.type === 'embedded') return dataDirectory;
  const identity = cluster.type === 'kubeconfig' ? { ...cluster, file: resolve(cluster.file) } : cluster;
  return join(dataDirectory, 'clusters', createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 12));
}
