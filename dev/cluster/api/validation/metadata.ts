/**
 * What holds for every object: shape of the body, name, labels, annotations.
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import { isTree } from '../json.ts';
import type { Tree } from '../json.ts';
import { apiVersion } from '../resources.ts';
import type { Kind } from '../resources.ts';
import { badRequest } from '../status.ts';
import type { FieldFault } from '../status.ts';
import { invalidValue, required } from './faults.ts';
import { checkAnnotations, checkLabelName, checkLabels, checkSubdomainName } from './names.ts';

/** A body that names another kind, or a member of the wrong JSON type, cannot be decoded: 400, before any validation. */
export function decodeObject(kind: Kind, body: unknown): KubernetesObject & Tree {
  const refuse = (reason: string): never => {
    throw badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${reason}`);
  };
  if (!isTree(body))
    throw badRequest(`the object provided is unrecognized (must be of type ${kind.kind}): couldn't get version/kind; json parse error`);
  const given = body['kind'];
  const version = body['apiVersion'];
  if ((given !== undefined && given !== kind.kind) || (version !== undefined && version !== apiVersion(kind))) {
    throw badRequest(
      `${String(given)} in version "${String(version)}" cannot be handled as a ${kind.kind}: converting (${String(version)}.${String(given)}) to (${kind.group || 'core'}.${kind.kind}): unknown conversion`,
    );
  }
  const metadata = body['metadata'] ?? {};
  if (!isTree(metadata)) return refuse('json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta');
  for (const name of ['labels', 'annotations']) {
    const map = metadata[name] ?? {};
    const wrong = isTree(map) ? Object.values(map).find((value) => typeof value !== 'string') : map;
    if (wrong !== undefined)
      refuse(`json: cannot unmarshal ${jsonType(wrong)} into Go struct field ObjectMeta.metadata.${name} of type string`);
  }
  for (const name of ['name', 'namespace', 'generateName', 'resourceVersion', 'uid']) {
    const value = metadata[name] ?? '';
    if (typeof value !== 'string')
      refuse(`json: cannot unmarshal ${jsonType(value)} into Go struct field ObjectMeta.metadata.${name} of type string`);
  }
  return { ...body, metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== null)) };
}

/** Go's words for JSON types. */
export function jsonType(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

export function validateMetadata(kind: Kind, object: KubernetesObject): FieldFault[] {
  const { name = '', generateName = '', labels, annotations, finalizers = [] } = object.metadata ?? {};
  const checkName = kind.labelName ? checkLabelName : checkSubdomainName;
  const faults: FieldFault[] = [];
  if (name !== '') faults.push(...checkName('metadata.name', name));
  else if (generateName === '') faults.push(required('metadata.name', 'name or generateName is required'));
  else faults.push(...checkName('metadata.generateName', generateName.replace(/-$/, '')));
  faults.push(...checkLabels('metadata.labels', labels), ...checkAnnotations('metadata.annotations', annotations));
  for (const finalizer of finalizers)
    if (!finalizer.includes('/') && !STANDARD_FINALIZERS.has(finalizer))
      faults.push(invalidValue('metadata.finalizers', finalizer, 'name is neither a standard finalizer name nor is it fully qualified'));
  return faults;
}

const STANDARD_FINALIZERS = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);
