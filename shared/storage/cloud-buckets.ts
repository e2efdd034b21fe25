/**
 * Buckets of Cloud Storage, opened to a namespace's pods by IAM alone: no keys.
 *
 * @module
 */
import { PassThrough, type Readable } from 'node:stream';
import type { Bucket, File, Storage } from '@google-cloud/storage';
import { BucketError, type BucketOwner, type BucketReader, type BucketStore, type EnsuredBucket } from './buckets.ts';

export interface CloudBucketsOptions {
  readonly project: string;
  /** A region or multi-region; where the cluster is, best. */
  readonly location: string;
  /** Of an emulator, with its scheme; without it the real service. */
  readonly apiEndpoint?: string;
}

const INSTALLATION_LABEL = 'berth-installation';
const INCARNATION_LABEL = 'berth-incarnation';
const ROLE = 'roles/storage.objectUser';
const REMOVE_AT_ONCE = 16;
const TIMEOUT_MS = 10_000;

export function openCloudBuckets(options: CloudBucketsOptions): BucketStore {
  let opened: Promise<Storage> | undefined;
  const open = (): Promise<Storage> => (opened ??= load(options));
  const bucketOf = async (name: string): Promise<Bucket> => (await open()).bucket(name);
  return {
    exists: (name, signal) =>
      translated(async () => (await (await bucketOf(name)).exists())[0], signal).catch((error: unknown) => {
        if (error instanceof BucketError && error.code === 'refused') return 'unknown';
        throw error;
      }),
    ensure: (name, owner, signal) => translated(() => ensure(bucketOf(name), owner, options.location), signal),
    grant: (name, reader, signal) => translated(async () => changePolicy(await bucketOf(name), reader, options.project, true), signal),
    revoke: (name, reader, signal) =>
      translated(async () => changePolicy(await bucketOf(name), reader, options.project, false), signal).catch(ignoreMissing),
    remove: (name, owner, signal) =>
      translated(() => remove(bucketOf(name), owner, signal), signal).catch((error: unknown) =>
        // What is left of it is left to the next call.
        signal.aborted ? false : Promise.reject(asError(error)),
      ),
    list: (name, { prefix = '', limit }) =>
      translated(async () => {
        const [files] = await (await bucketOf(name)).getFiles({ prefix, maxResults: limit, autoPaginate: false });
        return files.map(({ name: object, metadata }) => ({
          name: object,
          sizeBytes: Number(metadata.size ?? 0),
          updatedAt: new Date(metadata.updated ?? 0),
        }));
      }),
    read: (name, object) => readObject(bucketOf(name), object),
  };
}

async function load({ project, apiEndpoint }: CloudBucketsOptions): Promise<Storage> {
  const { Storage: Client } = await import('@google-cloud/storage');
  // Whoever calls has a time limit of its own and comes again; the library would try for ten minutes.
  const retryOptions = { maxRetries: 1, totalTimeout: TIMEOUT_MS / 1000 };
  return new Client({ projectId: project, retryOptions, timeout: TIMEOUT_MS, ...(apiEndpoint === undefined ? {} : { apiEndpoint }) });
}

type Ownership = Pick<BucketOwner, 'installation' | 'incarnation'>;

async function ownershipOf(bucket: Bucket): Promise<Ownership> {
  const [{ labels = {} }] = await bucket.getMetadata();
  return { installation: labels[INSTALLATION_LABEL] ?? '', incarnation: labels[INCARNATION_LABEL] ?? '' };
}

async function ensure(opening: Promise<Bucket>, owner: BucketOwner, location: string): Promise<EnsuredBucket> {
  const bucket = await opening;
  try {
    await bucket.create({
      location,
      labels: {
        [INSTALLATION_LABEL]: owner.installation,
        [INCARNATION_LABEL]: owner.incarnation,
        'berth-user': owner.userSlug,
        'berth-volume': owner.volumeId,
      },
      iamConfiguration: { uniformBucketLevelAccess: { enabled: true }, publicAccessPrevention: 'enforced' },
    });
  } catch (error) {
    if (codeOf(error) !== 409) throw error;
    const present = await ownershipOf(bucket).catch((denied: unknown) =>
      codeOf(denied) === 403 ? undefined : Promise.reject(asError(denied)),
    );
    if (present?.installation !== owner.installation)
      throw new BucketError('taken', `There is a bucket "${bucket.name}" that is not Berth's.`);
    if (present.incarnation !== owner.incarnation) return { kind: 'leftover', incarnation: present.incarnation };
  }
  return { kind: 'ready' };
}

/**
 * Pods are principals of the project's workload identity pool
 * (https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity#principal-id-examples). The client retries a policy that
 * somebody else has changed meanwhile by its etag.
 */
async function changePolicy(bucket: Bucket, reader: BucketReader, project: string, wanted: boolean): Promise<void> {
  const [{ projectNumber }] = await bucket.getMetadata();
  const pool = `projects/${String(projectNumber)}/locations/global/workloadIdentityPools/${project}.svc.id.goog`;
  const member = `principal://iam.googleapis.com/${pool}/subject/ns/${reader.k8sNamespace}/sa/${reader.serviceAccount}`;
  const [policy] = await bucket.iam.getPolicy({ requestedPolicyVersion: 3 });
  const binding = policy.bindings.find(({ role, condition }) => role === ROLE && condition === undefined);
  if ((binding?.members.includes(member) ?? false) === wanted) return;
  const members = wanted ? [...(binding?.members ?? []), member] : (binding?.members ?? []).filter((present) => present !== member);
  const others = policy.bindings.filter((present) => present !== binding);
  await bucket.iam.setPolicy({ ...policy, bindings: members.length === 0 ? others : [...others, { role: ROLE, members }] });
}

/**
 * Somebody else may be through with it and a later volume have its name by now. So whose the bucket is is asked after each look at what is in
 * it: what was listed before was in this one then, and only those very objects go.
 */
async function remove(opening: Promise<Bucket>, owner: Ownership, signal: AbortSignal): Promise<boolean> {
  const bucket = await opening;
  try {
    for (;;) {
      if (signal.aborted) return false;
      const [files] = await bucket.getFiles({ maxResults: REMOVE_AT_ONCE, autoPaginate: false });
      const { installation, incarnation } = await ownershipOf(bucket);
      if (installation !== owner.installation || incarnation !== owner.incarnation) return true;
      if (files.length === 0) break;
      await Promise.all(files.map((file) => file.delete({ ignoreNotFound: true, ...thisVersion(file) })));
    }
    await bucket.delete({ ignoreNotFound: true });
    return true;
  } catch (error) {
    if (codeOf(error) === 404) return true;
    // An object that came meanwhile, or has another content.
    if (codeOf(error) === 409 || codeOf(error) === 412) return false;
    throw error;
  }
}

function thisVersion({ metadata: { generation } }: File): { readonly ifGenerationMatch?: number | string } {
  return generation === undefined ? {} : { ifGenerationMatch: generation };
}

function readObject(opening: Promise<Bucket>, name: string): Readable {
  const output = new PassThrough();
  const fail = (error: unknown): void => void output.destroy(translate(error));
  opening.then((bucket) => {
    const source = bucket.file(name).createReadStream().on('error', fail);
    output.on('close', () => source.destroy());
    source.pipe(output);
  }, fail);
  return output;
}

function codeOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof BucketError) || error.code !== 'not_found') throw error;
}

/** The library takes no signal: a call that is given up goes on by itself, to its own time limit. */
async function translated<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(asError(signal?.reason));
  try {
    signal?.throwIfAborted();
    signal?.addEventListener('abort', abort, { once: true });
    return await Promise.race([call(), aborted]);
  } catch (error) {
    throw translate(error);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

function translate(error: unknown): Error {
  if (error instanceof BucketError) return error;
  const code = codeOf(error);
  if (code === 404) return new BucketError('not_found', 'There is no such bucket or object.', { cause: error });
  if (code !== undefined && code >= 400 && code < 500 && code !== 408 && code !== 429)
    return new BucketError('refused', 'Cloud Storage refused what Berth asked for.', { cause: error });
  return new BucketError('unavailable', 'Cloud Storage cannot be reached, or is too busy.', { cause: error });
}
