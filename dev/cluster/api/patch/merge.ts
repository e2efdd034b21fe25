/**
 * JSON merge patch (RFC 7386) and strategic merge patch.
 *
 * A strategic merge patch merges the lists below by a key instead of replacing them, as the real server does; any other list is
 * replaced. Supported directives: `$patch: delete | replace` in an item or an object, `$deleteFromPrimitiveList/<list>`, `$retainKeys`
 * (ignored but for being left out), `$setElementOrder/<list>` (the order is kept as it comes out of the merge).
 *
 * @module
 */
import { isTree, setMember } from '../json.ts';
import type { Tree } from '../json.ts';

/** Merges a patch into a copy: null removes a member, objects are merged, anything else replaces. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  const result: Tree = isTree(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else setMember(result, name, applyMergePatch(Object.hasOwn(result, name) ? result[name] : undefined, value));
  }
  return result;
}

/** The lists that are merged, by their member's name, and the key that identifies an item. `''`: a set of plain values. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  conditions: 'type',
  containers: 'name',
  initContainers: 'name',
  ephemeralContainers: 'name',
  env: 'name',
  ports: 'containerPort',
  volumes: 'name',
  volumeMounts: 'mountPath',
  volumeDevices: 'devicePath',
  imagePullSecrets: 'name',
  secrets: 'name',
  hostAliases: 'ip',
  topologySpreadConstraints: 'topologyKey',
  ownerReferences: 'uid',
  finalizers: '',
  podIPs: 'ip',
  hostIPs: 'ip',
  addresses: 'type',
};

/** Merges a strategic merge patch into a copy. */
export function applyStrategicPatch(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  const result: Tree = isTree(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    const present = Object.hasOwn(result, name) ? result[name] : undefined;
    const removal = /^\$deleteFromPrimitiveList\/(.+)$/.exec(name)?.[1];
    if (removal !== undefined) {
      const list = result[removal];
      if (Array.isArray(list) && Array.isArray(value)) result[removal] = list.filter((item) => !value.includes(item));
    } else if (name.startsWith('$')) continue;
    else if (value === null || (isTree(value) && value['$patch'] === 'delete')) delete result[name];
    else if (Array.isArray(value)) setMember(result, name, mergeList(name, present, value));
    else setMember(result, name, applyStrategicPatch(present, value));
  }
  return result;
}

function mergeList(name: string, present: unknown, patch: readonly unknown[]): readonly unknown[] {
  const key = MERGE_KEYS[name];
  const current: readonly unknown[] = Array.isArray(present) ? present : [];
  if (key === undefined || patch.some((item) => isTree(item) && item['$patch'] === 'replace')) {
    return patch.filter((item) => !(isTree(item) && item['$patch'] === 'replace')).map(withoutDirectives);
  }
  if (key === '') return [...new Set([...current, ...patch])];
  const result = [...current];
  for (const item of patch) {
    const index = result.findIndex((candidate) => isTree(candidate) && isTree(item) && candidate[key] === item[key]);
    const removed = isTree(item) && item['$patch'] === 'delete';
    if (removed && index >= 0) result.splice(index, 1);
    else if (removed) continue;
    else if (index >= 0) result[index] = applyStrategicPatch(result[index], item);
    else result.push(withoutDirectives(item));
  }
  return result;
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (!isTree(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, member]) => !name.startsWith('$') && member !== null)
      .map(([name, member]) => [name, withoutDirectives(member)]),
  );
}
