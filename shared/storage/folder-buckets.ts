/**
 * Buckets as folders of one folder: what the embedded cluster's kubelet mounts in place of Cloud Storage. There is no IAM here: pods
 * of this machine can have any bucket mounted that admission lets them.
 *
 * @module
 */
import { createReadStream } from 'node:fs';
import { chmod, mkdir, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join, relative, resolve, sep } from 'node:path';
import { PassThrough, pipeline, type Readable } from 'node:stream';
import { BucketError, type BucketOwner, type BucketStore, type StoredObject } from './buckets.ts';

/** Beside the folders of the buckets, which cannot have such a name: whose they are. */
const OWNERS = '.owners';

/** Every pod's user has an id of its own out here, so the folder is open to all; the folder above it is closed to other users. */
const OPEN = 0o2777;

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

async function missingAs<T, F>(call: Promise<T>, fallback: F): Promise<T | F> {
  try {
    return await call;
  } catch (error) {
    if (isMissing(error)) return fallback;
    throw error;
  }
}

export function openFolderBuckets(folder: string): BucketStore {
  const root = resolve(folder);
  const folderOf = (bucket: string): string => {
    if (!/^[a-z0-9][a-z0-9._-]*$/.test(bucket)) throw new BucketError('refused', `"${bucket}" is no name of a bucket.`);
    return join(root, bucket);
  };
  const ownerFile = (bucket: string): string => join(root, OWNERS, `${basename(folderOf(bucket))}.json`);
  const ownerOf = async (bucket: string): Promise<BucketOwner | undefined> => {
    const text = await missingAs(readFile(ownerFile(bucket), 'utf8'), undefined);
    return text === undefined ? undefined : (JSON.parse(text) as BucketOwner);
  };
  const exists = async (bucket: string): Promise<boolean> => (await missingAs(stat(folderOf(bucket)), undefined)) !== undefined;
  return {
    exists,
    ensure: async (bucket, owner) => {
      const present = await ownerOf(bucket);
      const isForeign = present === undefined ? await exists(bucket) : present.installation !== owner.installation;
      if (isForeign) throw new BucketError('taken', `There is a bucket "${bucket}" that is not Berth's.`);
      if (present !== undefined && present.incarnation !== owner.incarnation) return { kind: 'leftover', incarnation: present.incarnation };
      await mkdir(join(root, OWNERS), { recursive: true, mode: 0o700 });
      await writeFile(ownerFile(bucket), JSON.stringify(owner), { mode: 0o600 });
      await mkdir(folderOf(bucket), { recursive: true });
      await chmod(folderOf(bucket), OPEN);
      return { kind: 'ready' };
    },
    grant: () => Promise.resolve(),
    revoke: () => Promise.resolve(),
    remove: async (bucket, { installation, incarnation }) => {
      const present = await ownerOf(bucket);
      if (present?.installation !== installation || present.incarnation !== incarnation) return true;
      await rm(folderOf(bucket), { recursive: true, force: true });
      await rm(ownerFile(bucket), { force: true });
      return true;
    },
    list: async (bucket, options) => listWithin(folderOf(bucket), bucket, options),
    read: (bucket, name) => readWithin(folderOf(bucket), name),
  };
}

/** Files alone: a link is no object, wherever it leads. */
async function listWithin(
  base: string,
  bucket: string,
  { prefix = '', limit }: { readonly prefix?: string; readonly limit: number },
): Promise<readonly StoredObject[]> {
  const entries = await missingAs(readdir(base, { recursive: true, withFileTypes: true }), undefined);
  if (entries === undefined) throw new BucketError('not_found', `There is no bucket "${bucket}".`);
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(base, join(entry.parentPath, entry.name)).replaceAll(sep, '/'))
    .filter((name) => name.startsWith(prefix))
    .toSorted()
    .slice(0, limit);
  const found = await Promise.all(names.map((name) => missingAs(describe(base, name), undefined)));
  return found.filter((object) => object !== undefined);
}

async function describe(base: string, name: string): Promise<StoredObject> {
  const { size, mtime } = await stat(join(base, name));
  return { name, sizeBytes: size, updatedAt: mtime };
}

/** What is in a bucket was written by pods: a link out of it is no object. */
function readWithin(base: string, name: string): Readable {
  const output = new PassThrough();
  const fail = (error: unknown): void => {
    const missing = new BucketError('not_found', `There is no object "${name}".`, { cause: error });
    output.destroy(error instanceof Error && !isMissing(error) ? error : missing);
  };
  const open = async (): Promise<string> => {
    const [root, file] = await Promise.all([realpath(base), realpath(join(base, name))]);
    if (file !== join(root, name) || !file.startsWith(root + sep)) throw new BucketError('not_found', `There is no object "${name}".`);
    return file;
  };
  open().then((file) => pipeline(createReadStream(file), output, (error) => error && fail(error)), fail);
  return output;
}
