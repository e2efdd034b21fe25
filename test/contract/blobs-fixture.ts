/**
 * The blob stores that the contract is held against, each with fresh data.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCloudStorageBlobs } from '../../shared/blobs/cloud-storage.ts';
import { openFolderBlobs } from '../../shared/blobs/folder.ts';
import type { BlobError, BlobErrorCode, BlobStore } from '../../shared/blobs/port.ts';

export interface BlobFixture {
  readonly blobs: BlobStore;
  close(): Promise<void>;
}

export interface BlobImplementation {
  readonly name: string;
  /** Why it cannot be tried here. */
  readonly missing?: string;
  readonly start: () => Promise<BlobFixture>;
}

async function startFolder(): Promise<BlobFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-blobs-'));
  const blobs = openFolderBlobs(join(folder, 'blobs'));
  return {
    blobs,
    close: async () => {
      await blobs.close();
      rmSync(folder, { recursive: true });
    },
  };
}

async function startCloudStorage(): Promise<BlobFixture> {
  const { Storage } = await import('@google-cloud/storage');
  const projectId = process.env['GOOGLE_CLOUD_PROJECT'] ?? 'berth-test';
  const bucket = new Storage({ projectId }).bucket(`berth-test-${randomBytes(6).toString('hex')}`);
  await bucket.create();
  const blobs = openCloudStorageBlobs({ bucket: bucket.name, project: projectId });
  return {
    blobs,
    close: async () => {
      await blobs.close();
      await bucket.deleteFiles({ force: true });
      await bucket.delete();
    },
  };
}

const storageMissing =
  process.env['STORAGE_EMULATOR_HOST'] === undefined
    ? 'SKIPPED: the blob contract on Cloud Storage. Start a Cloud Storage emulator and set STORAGE_EMULATOR_HOST=http://host:port.'
    : undefined;

export const implementations: readonly BlobImplementation[] = [
  { name: 'a folder', start: startFolder },
  { name: 'Cloud Storage', start: startCloudStorage, ...(storageMissing !== undefined && { missing: storageMissing }) },
];

/** What `expect(...).rejects.toMatchObject` takes for a refusal of the store. */
export function refusal(code: BlobErrorCode): Partial<BlobError> {
  return { name: 'BlobError', code };
}

export async function readAll(body: ReadableStream<Uint8Array>): Promise<Buffer> {
  return Buffer.from(await new Response(body).arrayBuffer());
}
