/**
 * Label and field selectors, as lists and watches take them.
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import { valueAt } from './json.ts';
import type { Kind } from './resources.ts';
import { badRequest } from './status.ts';

export type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

/** Whether a set of labels meets one requirement. `!=` and `notin` hold where the label is absent. */
export function meets(labels: Readonly<Record<string, string>> | undefined, requirement: Requirement): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.includes(value);
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(requirement.values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(requirement.values[0]);
  }
}

const KEY = /^\s*([A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?)\s*/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

/** Parses `a=b,c!=d,e in (f,g),!h,i`. Throws the 400 `Status` of a selector that cannot be read. */
export function parseLabelSelector(text: string): readonly Requirement[] {
  if (text.trim() === '') return [];
  return splitTerms(text).map(parseTerm);
}

/** Splits at commas outside parentheses. */
function splitTerms(text: string): readonly string[] {
  const terms: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    else if (character === ',' && depth === 0) {
      terms.push(text.slice(start, index));
      start = index + 1;
    }
  }
  return [...terms, text.slice(start)];
}

function parseTerm(term: string): Requirement {
  const negated = /^\s*!/.test(term);
  const match = KEY.exec(negated ? term.replace('!', '') : term);
  if (match?.[1] === undefined)
    throw badRequest(`unable to parse requirement: found '${term.trim()}', expected: !, identifier, or 'end of string'`);
  const key = match[1];
  const rest = (negated ? term.replace('!', '') : term).slice(match[0].length).trim();
  if (rest === '') return { key, operator: negated ? 'DoesNotExist' : 'Exists', values: [] };
  const set = /^(in|notin)\s*\(([^()]*)\)$/.exec(rest);
  if (set !== null && !negated) return checkedRequirement(key, set[1] === 'in' ? 'In' : 'NotIn', (set[2] ?? '').split(','));
  const comparison = /^(==|=|!=)([^=!]*)$/.exec(rest);
  if (comparison !== null && !negated) return checkedRequirement(key, comparison[1] === '!=' ? 'NotIn' : 'In', [comparison[2] ?? '']);
  throw badRequest(`unable to parse requirement: found '${rest}', expected: in, notin, =, ==, !=`);
}

function checkedRequirement(key: string, operator: Operator, values: readonly string[]): Requirement {
  const trimmed = values.map((value) => value.trim());
  const wrong = trimmed.find((value) => !VALUE.test(value) || value.length > 63);
  if (wrong !== undefined)
    throw badRequest(
      `unable to parse requirement: values[0][${key}]: Invalid value: ${JSON.stringify(wrong)}: a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'`,
    );
  return { key, operator, values: trimmed };
}

export interface FieldRequirement {
  readonly field: string;
  readonly equal: boolean;
  readonly value: string;
}

/** Parses `metadata.name=x,status.phase!=Running`. Throws 400 for a field that this kind does not offer. */
export function parseFieldSelector(kind: Kind, text: string): readonly FieldRequirement[] {
  return text
    .split(',')
    .filter((term) => term.trim() !== '')
    .map((term) => {
      const match = /^([^=!]+?)(==|=|!=)(.*)$/.exec(term.trim());
      if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
      const [, field = '', operator, value = ''] = match;
      const known = field === 'metadata.name' || (kind.namespaced && field === 'metadata.namespace') || kind.selectable.includes(field);
      if (!known) throw badRequest(`field label not supported: ${field}`);
      return { field, equal: operator !== '!=', value };
    });
}

export interface Selection {
  readonly labels: readonly Requirement[];
  readonly fields: readonly FieldRequirement[];
}

/** Whether an object is selected. An absent field counts as the empty string, as in Kubernetes. */
export function selects(selection: Selection, object: KubernetesObject): boolean {
  return (
    selection.fields.every(({ field, equal, value }) => (textAt(object, field) === value) === equal) &&
    selection.labels.every((item) => meets(object.metadata?.labels, item))
  );
}

function textAt(object: KubernetesObject, field: string): string {
  const value = valueAt(object, field);
  return typeof value === 'string' ? value : '';
}
