/**
 * Plain JSON values: what the store holds and the wire carries.
 *
 * @module
 */
export type Tree = { [key: string]: unknown };

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `Time` of Kubernetes has seconds, `MicroTime` (these fields) has microseconds. */
const MICRO_TIME = new Set(['eventTime', 'acquireTime', 'renewTime', 'lastObservedTime']);

/**
 * A deep copy of JSON alone: `Date`s, which the client's types ask for, become the strings of the wire, and absent members are left
 * out. Buffers and other classes do not occur.
 */
export function toPlain(value: unknown, key = ''): unknown {
  if (value instanceof Date)
    return MICRO_TIME.has(key) ? value.toISOString().replace('Z', '000Z') : value.toISOString().replace(/\.\d+Z$/, 'Z');
  if (Array.isArray(value)) return value.map((item) => (item === undefined ? null : toPlain(item)));
  if (!isTree(value)) return value;
  const copy: Tree = {};
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    setMember(copy, name, toPlain(member, name));
  }
  return copy;
}

/** Sets a member even where its name is `__proto__`, which plain assignment would take for the prototype. */
export function setMember(tree: Tree, name: string, value: unknown): void {
  if (name === '__proto__') Object.defineProperty(tree, name, { value, enumerable: true, configurable: true, writable: true });
  else tree[name] = value;
}

export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const member of Object.values(value)) deepFreeze(member);
  return value;
}

/** Equality of JSON, whatever the order of members. */
export function deepEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left))
    return Array.isArray(right) && left.length === right.length && left.every((item, index) => deepEqual(item, right[index]));
  if (!isTree(left) || !isTree(right)) return false;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length && names.every((name) => Object.hasOwn(right, name) && deepEqual(left[name], right[name]))
  );
}

/** The member at a dotted path without wildcards: `valueAt(pod, 'spec.nodeName')`. */
export function valueAt(value: unknown, path: string): unknown {
  let current = value;
  for (const name of path.split('.')) {
    if (!isTree(current) || !Object.hasOwn(current, name)) return undefined;
    current = current[name];
  }
  return current;
}
