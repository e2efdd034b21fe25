/**
 * One version of one object, as the store holds it.
 *
 * @module
 */
import type { KubernetesObject, V1ObjectMeta } from '@kubernetes/client-node';
import { deepFreeze, isTree, toPlain } from './json.ts';
import { apiVersion } from './resources.ts';
import type { Kind } from './resources.ts';

export interface Entry {
  /** Frozen: everyone shares it. Times are strings, whatever the client's types say. */
  readonly object: KubernetesObject & { readonly metadata: V1ObjectMeta };
  readonly revision: number;
  /** The object as JSON without `kind` and `apiVersion`, as it stands in a list's `items`. */
  readonly body: string;
}

/** Makes a version out of an object of the client's types or of a request; what it is given stays untouched. */
export function makeEntry(kind: Kind, object: KubernetesObject, revision: number): Entry {
  const plain = toPlain(object);
  const { kind: _kind, apiVersion: _apiVersion, metadata, ...rest } = isTree(plain) ? plain : {};
  const content = { metadata: { ...(isTree(metadata) ? metadata : {}), resourceVersion: String(revision) }, ...rest };
  const frozen = deepFreeze({ kind: kind.kind, apiVersion: apiVersion(kind), ...content });
  return { object: frozen, revision, body: JSON.stringify(content) };
}

/** The whole object as JSON, as a single answer or a watch event has it. */
export function entryJson(kind: Kind, entry: Entry): string {
  return `{"kind":"${kind.kind}","apiVersion":"${apiVersion(kind)}",${entry.body.slice(1)}`;
}

/** A mutable copy. */
export function copyOf<T extends KubernetesObject>(object: T): T {
  return structuredClone(object);
}

/** Keys order lists as etcd does: by namespace, then name. NUL sorts before every character of a name. */
export function entryKey({ object: { metadata } }: Entry): string {
  return `${metadata.namespace ?? ''}\0${metadata.name ?? ''}`;
}
