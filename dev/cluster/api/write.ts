/**
 * Create, update and patch of one object, as the API does them: decoded, admitted, stored.
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import { admitChange, admitNew } from './admission/admit.ts';
import { copyOf, entryJson } from './entry.ts';
import type { Entry } from './entry.ts';
import { isTree } from './json.ts';
import type { Tree } from './json.ts';
import type { ObjectStore } from './object-store.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { applyMergePatch, applyStrategicPatch } from './patch/merge.ts';
import type { Kind } from './resources.ts';
import { badRequest, invalid, modified, notFound, unsupportedMediaType } from './status.ts';
import { invalidValue } from './validation/faults.ts';
import { decodeObject } from './validation/metadata.ts';

export interface Target {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string;
  /** `status` or `undefined`. */
  readonly subresource: string | undefined;
  readonly dryRun: boolean;
}

/** Throws 400, 403, 404, 409 or 422. */
export function createObject(objects: ObjectStore, target: Omit<Target, 'name' | 'subresource'>, body: unknown): Entry {
  const { kind, namespace, dryRun } = target;
  const object = structuredClone(decodeObject(kind, body));
  object.metadata = { ...object.metadata, ...(kind.namespaced && { namespace: namespaceOf(object, namespace) }) };
  if (!kind.namespaced) delete object.metadata.namespace;
  admitNew(objects, kind, object);
  return dryRun ? objects.prepare(kind, object) : objects.insert(kind, object);
}

function namespaceOf(object: KubernetesObject, namespace: string | undefined): string {
  const given = object.metadata?.namespace ?? '';
  if (given !== '' && given !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  return namespace ?? '';
}

/** Replaces an object with the body of a PUT. A body without `resourceVersion` replaces whatever is there. */
export function updateObject(objects: ObjectStore, target: Target, body: unknown): Entry {
  const { kind, name, namespace } = target;
  const next = structuredClone(decodeObject(kind, body));
  const current = objects.entry(kind, namespace, name);
  if (next.metadata?.name !== name)
    throw badRequest(`the name of the object (${next.metadata?.name ?? ''}) does not match the name on the URL (${name})`);
  if (current === undefined) throw notFound(kind, name);
  if (kind.namespaced) namespaceOf(next, namespace);
  return storeChange(objects, target, current, next);
}

const PATCHES: Readonly<Record<string, (target: unknown, patch: unknown) => unknown>> = {
  'application/json-patch+json': applyJsonPatch,
  'application/merge-patch+json': applyMergePatch,
  'application/strategic-merge-patch+json': applyStrategicPatch,
};

/** Applies a patch of one of the three types in use. Server-side apply is not among them: 415. */
export function patchObject(objects: ObjectStore, target: Target, contentType: string, patch: unknown): Entry {
  const { kind, name, namespace } = target;
  const apply = PATCHES[contentType];
  if (apply === undefined) throw unsupportedMediaType();
  if (contentType !== 'application/json-patch+json' && !isTree(patch)) throw badRequest('error decoding patch: the patch is not an object');
  const current = objects.entry(kind, namespace, name);
  if (current === undefined) throw notFound(kind, name);
  const before: unknown = JSON.parse(entryJson(kind, current));
  const next = decodeObject(kind, apply(before, patch));
  if (next.metadata?.name !== name)
    throw badRequest(`the name of the object (${next.metadata?.name ?? ''}) does not match the name on the URL (${name})`);
  return storeChange(objects, target, current, next);
}

function storeChange(objects: ObjectStore, target: Target, current: Entry, asked: KubernetesObject & Tree): Entry {
  const { kind, name, subresource, dryRun } = target;
  const { resourceVersion, uid } = current.object.metadata;
  const version = asked.metadata?.resourceVersion ?? '';
  const askedUid = asked.metadata?.uid ?? '';
  if (version !== '' && version !== resourceVersion) throw modified(kind, name);
  if (askedUid !== '' && askedUid !== uid)
    throw invalid(kind.kind, kind.group, name, [invalidValue('metadata.uid', askedUid, 'field is immutable')]);
  const next = combine(kind, current.object, asked, subresource);
  admitChange(objects, kind, next, current.object);
  return dryRun ? objects.prepareReplacement(kind, current, next) : objects.replace(kind, current, next);
}

/**
 * What of the asked object counts: a write to `status` changes the status alone, a write to the object all but the status (where the
 * kind has that subresource). The end of a deletion is never the writer's to change.
 */
function combine(kind: Kind, current: KubernetesObject, asked: KubernetesObject & Tree, subresource: string | undefined): KubernetesObject {
  const copy: KubernetesObject & Tree = { ...copyOf(current) };
  if (subresource !== undefined) {
    const part = subresource === 'finalize' ? 'spec' : 'status';
    return { ...copy, [part]: asked[part] };
  }
  const { deletionTimestamp, deletionGracePeriodSeconds, namespace, labels } = copy.metadata ?? {};
  const metadata = { ...asked.metadata, ...(namespace !== undefined && { namespace }) };
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  if (deletionTimestamp !== undefined) Object.assign(metadata, { deletionTimestamp, deletionGracePeriodSeconds });
  const ownLabel = labels?.['kubernetes.io/metadata.name'];
  if (kind.plural === 'namespaces' && ownLabel !== undefined)
    metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': ownLabel };
  const next: KubernetesObject & Tree = { ...asked, metadata };
  if (kind.subresources.includes('status')) setOrDelete(next, 'status', copy['status']);
  if (kind.plural === 'namespaces') setOrDelete(next, 'spec', copy['spec']);
  return next;
}

function setOrDelete(object: Tree, name: string, value: unknown): void {
  if (value === undefined) delete object[name];
  else object[name] = value;
}
