/**
 * Opens the blob store that the configuration names.
 *
 * @module
 */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { storeDirectory } from '../documents/store-directory.ts';
import { openCloudStorageBlobs } from './cloud-storage.ts';
import { openFolderBlobs } from './folder.ts';
import type { BlobStore } from './port.ts';

/** Nothing is read or written before the first call. */
export function openBlobs(config: Pick<Config, 'blobs' | 'cluster' | 'dataDirectory' | 'project'>): BlobStore {
  if (config.blobs.type === 'folder') return openFolderBlobs(join(storeDirectory(config), 'blobs'));
  return openCloudStorageBlobs({ bucket: config.blobs.bucket, ...(config.project === undefined ? {} : { project: config.project }) });
}
