/**
 * VolumeSnapshots, which are no part of Kubernetes itself: a cluster may not know them.
 *
 * @module
 */
import type { Kubernetes } from './port.ts';
import { isAlreadyExists, isNotFound, statusOf } from './errors.ts';

/** https://kubernetes.io/docs/concepts/storage/volume-snapshots/ */
const resource = { group: 'snapshot.storage.k8s.io', version: 'v1', plural: 'volumesnapshots' } as const;

/** As much of one as is read here. */
export interface SnapshotObject {
  readonly labels: Readonly<Record<string, string>>;
  readonly deleting: boolean;
  readonly ready: boolean;
  /** A quantity. */
  readonly restoreSize: string | undefined;
  readonly error: string | undefined;
}

/** The cluster has no such API: the answer is about the path, not about an object. */
export class SnapshotsUnsupported extends Error {
  constructor(options?: ErrorOptions) {
    super('The cluster has no VolumeSnapshot API.', options);
    this.name = 'SnapshotsUnsupported';
  }
}

/** Makes it; one of that name is fine. Throws `SnapshotsUnsupported`, and what the library throws. */
export async function createSnapshot({ custom }: Kubernetes, namespace: string, body: object): Promise<void> {
  try {
    await custom.createNamespacedCustomObject({ ...resource, namespace, body });
  } catch (error) {
    if (isAlreadyExists(error)) return;
    if (isUnknownApi(error)) throw new SnapshotsUnsupported({ cause: error });
    throw error;
  }
}

/** Undefined where there is none, or no such API. */
export async function readSnapshot({ custom }: Kubernetes, namespace: string, name: string): Promise<SnapshotObject | undefined> {
  try {
    return parse(await custom.getNamespacedCustomObject({ ...resource, namespace, name }));
  } catch (error) {
    if (isNotFound(error) || isUnknownApi(error)) return undefined;
    throw error;
  }
}

/** Asks for its end, with a `uid` of that one and no other; what is gone is fine. */
export async function deleteSnapshot({ custom }: Kubernetes, namespace: string, name: string, uid?: string): Promise<void> {
  const body = uid === undefined ? {} : { preconditions: { uid } };
  try {
    await custom.deleteNamespacedCustomObject({ ...resource, namespace, name, body });
  } catch (error) {
    if (!isNotFound(error) && !isUnknownApi(error)) throw error;
  }
}

/** A real API server answers plain text for a group that it does not have. */
function isUnknownApi(error: unknown): boolean {
  const status = statusOf(error);
  return status !== undefined && ((status.code === 404 && status.reason !== 'NotFound') || status.code === 501);
}

type Tree = Readonly<Record<string, unknown>>;

function treeOf(value: unknown): Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Tree) : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function parse(value: unknown): SnapshotObject {
  const metadata = treeOf(treeOf(value)['metadata']);
  const status = treeOf(treeOf(value)['status']);
  const labels = Object.entries(treeOf(metadata['labels'])).flatMap(([name, text]) =>
    typeof text === 'string' ? [[name, text] as const] : [],
  );
  return {
    labels: Object.fromEntries(labels),
    deleting: metadata['deletionTimestamp'] !== undefined,
    ready: status['readyToUse'] === true,
    restoreSize: textOf(status['restoreSize']),
    error: textOf(treeOf(status['error'])['message']),
  };
}
