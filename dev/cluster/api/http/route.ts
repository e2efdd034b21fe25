/**
 * Paths of the API: `/api/v1/…` and `/apis/<group>/<version>/…`.
 *
 * @module
 */
import { apiVersion, findKind, kinds } from '../resources.ts';
import type { Kind } from '../resources.ts';
import { notImplemented } from '../status.ts';

export interface Route {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  /** `undefined`: the collection. */
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/**
 * The route of a path, `undefined` where the path names no resource (discovery). Throws 501 for a resource, or a subresource, that the
 * table does not have.
 */
export function parseRoute(path: string): Route | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const [root, ...afterRoot] = parts.map(decode);
  if (root !== 'api' && root !== 'apis') return undefined;
  const [group = '', version, ...rest] = root === 'api' ? ['', ...afterRoot] : afterRoot;
  if (version === undefined || rest.length === 0) return undefined;
  const kindAt = (plural: string): Kind | undefined => findKind({ group, version, plural });
  const [first = '', second, third, fourth, fifth] = rest;
  const inNamespace = first === 'namespaces' && third !== undefined && group + version !== '' && !isSubresource(kindAt(first), third);
  const plural = inNamespace ? third : first;
  const kind = kindAt(plural);
  if (kind === undefined || (inNamespace && !kind.namespaced))
    throw notImplemented(`${plural} of ${apiVersion({ group, version, plural })}`);
  const [namespace, name, subresource] = inNamespace ? [second, fourth, fifth] : [undefined, second, third];
  if (subresource !== undefined && !kind.subresources.includes(subresource)) throw notImplemented(`${plural}/${subresource}`);
  return { kind, namespace, name, subresource };
}

/** `/api/v1/namespaces/x/status` is the namespace's status, not a list of something. */
function isSubresource(kind: Kind | undefined, part: string): boolean {
  return kind?.subresources.includes(part) === true && !kinds.some(({ plural }) => plural === part);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
