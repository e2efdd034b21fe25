/**
 * Makes a tenant's Kubernetes namespace what its document says: there with everything in it that every namespace has, or gone.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { V1Namespace } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import { entitlementsOf } from '../entitlements/limits.ts';
import type { Entitlements } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { isAlreadyExists, isConflict, isNamespaceTerminating, isNotFound } from '../kubernetes/errors.ts';
import { callOptions } from '../kubernetes/call-options.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { labels } from '../pods/names.ts';
import { buildNamespaceObjects, type NamespaceObjects } from '../pods/namespace-objects.ts';
import { namespaceKey } from '../sessions/collections.ts';
import { backoffMs, pause, retryWhile } from '../kubernetes/retry.ts';
import type { NamespaceDocument } from './model.ts';
import { readNamespace } from './read.ts';
import { finishRelease, updateNamespace } from './release.ts';

/**
 * Safe to call any number of times, from several places at once. Costs one read of the store where nothing is to be done. Throws what
 * Kubernetes throws, and `AppError` `cluster_refused` where a namespace of that name is not Berth's.
 */
export async function ensureNamespace(deps: Deps, namespace: string, entitlements: Entitlements, signal: AbortSignal): Promise<void> {
  for (let looks = 0; ; looks += 1) {
    signal.throwIfAborted();
    const stored = await deps.store.get<NamespaceDocument>(namespaceKey(namespace));
    if (stored === undefined) throw new AppError('conflict', `The namespace "${namespace}" was released meanwhile.`);
    if (stored.data.state === 'releasing') {
      await finishRelease(deps, stored, looks, signal);
      continue;
    }
    const objects = objectsOf(deps, stored.data, entitlements);
    const digest = createHash('sha256').update(JSON.stringify(objects)).digest('hex');
    if (stored.data.objects_digest === digest) return;
    const uid = await buildNamespace(deps, objects, looks, signal);
    if (uid !== undefined && (await updateNamespace(deps, stored, { ...stored.data, objects_digest: digest, k8s_uid: uid }))) return;
  }
}

/** The uid of the Kubernetes namespace; `undefined` where somebody removed it under our hands. */
async function buildNamespace(deps: Deps, objects: NamespaceObjects, looks: number, signal: AbortSignal): Promise<string | undefined> {
  const kubernetes = await deps.kubernetes();
  try {
    const uid = await createNamespace(kubernetes, objects.namespace, deps.installation, signal);
    await writeObjects(kubernetes, objects);
    return uid;
  } catch (error) {
    if (!isNotFound(error) && !isNamespaceTerminating(error)) throw error;
    await pause(backoffMs(looks), signal);
    return undefined;
  }
}

/** Forgets that the objects were written: somebody has removed the namespace behind our back. */
export async function forgetObjects(deps: Deps, namespace: string): Promise<void> {
  const stored = await deps.store.get<NamespaceDocument>(namespaceKey(namespace));
  if (stored !== undefined) await updateNamespace(deps, stored, { ...stored.data, objects_digest: null });
}

function objectsOf(deps: Deps, document: NamespaceDocument, ofOwner: Entitlements): NamespaceObjects {
  const { controlPlaneCidr, deniedEgressCidrs } = deps.config;
  // The quota is a net below what the store admits. Where several users are admitted, one's limits would hold up another's pods.
  const isShared = document.has_guests === true || Object.keys(document.grants ?? {}).length > 0;
  const entitlements = isShared ? entitlementsOf('admin', {}, deps.config.entitlements) : ofOwner;
  return buildNamespaceObjects({
    installation: deps.installation,
    kubernetesNamespace: document.k8s_namespace,
    namespace: document.namespace,
    owner: document.owner,
    entitlements: {
      sessions: entitlements.sessions,
      jobs: entitlements.jobs,
      cpu: entitlements.cpu,
      memoryGib: entitlements.memory_gb,
      claims: entitlements.pvcs,
      storageGib: entitlements.storage_gb,
    },
    network: { deniedCidrs: deniedEgressCidrs, ...(controlPlaneCidr === undefined ? {} : { controlPlaneCidr }) },
  });
}

async function createNamespace(
  kubernetes: Kubernetes,
  body: V1Namespace,
  installation: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = body.metadata?.name ?? '';
  for (let looks = 0; ; looks += 1) {
    signal.throwIfAborted();
    try {
      return (await kubernetes.core.createNamespace({ body })).metadata?.uid;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
    const present = await readNamespace(kubernetes, name);
    if (present === undefined) continue;
    if (present.metadata?.labels?.[labels.installation] !== installation) {
      throw new AppError(
        'cluster_refused',
        `The Kubernetes namespace "${name}" exists and is not this installation's. Choose another namespace.`,
      );
    }
    if (present.metadata.deletionTimestamp === undefined) {
      const { labels: wanted, annotations } = body.metadata ?? {};
      await kubernetes.core.patchNamespace({ name, body: { metadata: { labels: wanted, annotations } } }, callOptions({ patch: 'merge' }));
      return present.metadata.uid;
    }
    await pause(backoffMs(looks), signal);
  }
}

/** Creates or replaces each object, so that a namespace of an older version gets today's. */
async function writeObjects({ core, networking }: Kubernetes, objects: NamespaceObjects): Promise<void> {
  const namespace = objects.namespace.metadata?.name ?? '';
  const write = async (create: () => Promise<unknown>, replace: () => Promise<unknown>): Promise<void> => {
    try {
      await create();
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      await retryWhile(isConflict, replace);
    }
  };
  const nameOf = (object: { readonly metadata?: { readonly name?: string } }): string => object.metadata?.name ?? '';
  await Promise.all([
    write(
      () => core.createNamespacedServiceAccount({ namespace, body: objects.serviceAccount }),
      () => core.replaceNamespacedServiceAccount({ namespace, name: nameOf(objects.serviceAccount), body: objects.serviceAccount }),
    ),
    write(
      () => core.createNamespacedResourceQuota({ namespace, body: objects.resourceQuota }),
      () => core.replaceNamespacedResourceQuota({ namespace, name: nameOf(objects.resourceQuota), body: objects.resourceQuota }),
    ),
    write(
      () => core.createNamespacedLimitRange({ namespace, body: objects.limitRange }),
      () => core.replaceNamespacedLimitRange({ namespace, name: nameOf(objects.limitRange), body: objects.limitRange }),
    ),
    ...objects.networkPolicies.map((body) =>
      write(
        () => networking.createNamespacedNetworkPolicy({ namespace, body }),
        () => networking.replaceNamespacedNetworkPolicy({ namespace, name: nameOf(body), body }),
      ),
    ),
  ]);
}
