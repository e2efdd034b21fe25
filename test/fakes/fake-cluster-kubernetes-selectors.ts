/**
 * Selectors and patches as the API server reads them, as far as Berth writes them.
 */
import type { KubernetesObject } from '@kubernetes/client-node';

interface Term {
  readonly path: string;
  /** `undefined`: any. */
  readonly values: readonly string[] | undefined;
  readonly isNot: boolean;
}

const EQUALITY = /^([^=!]+)(!=|==?)(.*)$/;
const SET = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/;

function parse(selector: string): readonly Term[] {
  // A comma within parentheses separates values, not terms.
  const parts = selector.split(/,(?![^(]*\))/).filter((part) => part !== '');
  return parts.map((part) => {
    const [, name, operator, list] = SET.exec(part) ?? [];
    if (name !== undefined && list !== undefined)
      return { path: name, values: list.split(',').map((value) => value.trim()), isNot: operator === 'notin' };
    const [, path, comparison, value] = EQUALITY.exec(part) ?? [];
    if (path !== undefined && value !== undefined) return { path, values: [value], isNot: comparison === '!=' };
    return part.startsWith('!') ? { path: part.slice(1), values: undefined, isNot: true } : { path: part, values: undefined, isNot: false };
  });
}

function matches(terms: readonly Term[], valueOf: (path: string) => string | undefined): boolean {
  return terms.every(({ path, values, isNot }) => {
    const actual = valueOf(path);
    const isThere = actual !== undefined && (values === undefined || values.includes(actual));
    return isThere !== isNot;
  });
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors */
export function labelsMatch(object: KubernetesObject, selector: string | undefined): boolean {
  if (selector === undefined) return true;
  return matches(parse(selector), (name) => object.metadata?.labels?.[name]);
}

/** https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/ */
export function fieldsMatch(object: KubernetesObject, selector: string | undefined): boolean {
  if (selector === undefined) return true;
  return matches(parse(selector), (path) => {
    let value: unknown = object;
    for (const name of path.split('.')) value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    return typeof value === 'string' ? value : '';
  });
}

/** RFC 7386. */
export function mergePatch<T extends object>(target: T, patch: object): T {
  const merged: Record<string, unknown> = Object.fromEntries(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(merged, name);
    else if (typeof value === 'object' && !Array.isArray(value)) {
      const before = merged[name];
      merged[name] = mergePatch(typeof before === 'object' && before !== null ? before : {}, value as object);
    } else if (value !== undefined) merged[name] = value;
  }
  return merged as T;
}
