/**
 * The place for buckets that the configuration names.
 *
 * @module
 */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { BucketStore } from './buckets.ts';
import { openCloudBuckets } from './cloud-buckets.ts';
import { openFolderBuckets } from './folder-buckets.ts';

/** Where both the embedded cluster and this process look. */
export function bucketsFolder(dataDirectory: string): string {
  return join(dataDirectory, 'buckets');
}

export function openBuckets({ buckets, dataDirectory }: Pick<Config, 'buckets' | 'dataDirectory'>): BucketStore | undefined {
  switch (buckets.type) {
    case 'none':
      return undefined;
    case 'folder':
      return openFolderBuckets(bucketsFolder(dataDirectory));
    case 'cloud-storage':
      return openCloudBuckets({ project: buckets.project, location: buckets.location });
  }
}
