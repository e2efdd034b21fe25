/**
 * Names, labels and annotations as Kubernetes accepts them, with its words for what it refuses.
 *
 * @module
 */
import type { FieldFault } from '../status.ts';
import { invalidValue, required } from './faults.ts';

interface Rule {
  readonly pattern: RegExp;
  readonly longest: number;
  readonly words: string;
}

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

const dnsLabel: Rule = {
  pattern: new RegExp(`^${LABEL}$`),
  longest: 63,
  words: `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '${LABEL}')`,
};
const dnsSubdomain: Rule = {
  pattern: new RegExp(`^${LABEL}(\\.${LABEL})*$`),
  longest: 253,
  words: `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '${LABEL}(\\.${LABEL})*')`,
};

const QUALIFIED = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const QUALIFIED_WORDS = `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '${QUALIFIED}')`;
const qualifiedPattern = new RegExp(`^${QUALIFIED}$`);
const labelValue: Rule = {
  pattern: new RegExp(`^(${QUALIFIED})?$`),
  longest: 63,
  words: `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(${QUALIFIED})?')`,
};

function tooLong(longest: number): string {
  return `must be no more than ${longest} bytes`;
}

function check(rule: Rule, field: string, value: string): FieldFault[] {
  const messages = [...(value.length > rule.longest ? [tooLong(rule.longest)] : []), ...(rule.pattern.test(value) ? [] : [rule.words])];
  return messages.map((message) => invalidValue(field, value, message));
}

/** A DNS label: namespaces, containers, volumes. */
export function checkLabelName(field: string, value: unknown): FieldFault[] {
  if (typeof value !== 'string' || value === '') return [required(field)];
  return check(dnsLabel, field, value);
}

/** A DNS subdomain: the names of nearly all objects. */
export function checkSubdomainName(field: string, value: string): FieldFault[] {
  return check(dnsSubdomain, field, value);
}

function checkQualifiedName(field: string, key: string): FieldFault[] {
  const parts = key.split('/');
  const [first = '', second] = parts;
  const name = second ?? first;
  if (parts.length > 2)
    return [
      invalidValue(
        field,
        key,
        `a qualified name ${QUALIFIED_WORDS} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
      ),
    ];
  const messages: string[] = [];
  if (second !== undefined && first === '') messages.push('prefix part must be non-empty');
  if (second !== undefined && first !== '' && !dnsSubdomain.pattern.test(first)) messages.push(`prefix part ${dnsSubdomain.words}`);
  if (name === '') messages.push('name part must be non-empty');
  if (name.length > 63) messages.push(`name part ${tooLong(63)}`);
  if (!qualifiedPattern.test(name)) messages.push(`name part ${QUALIFIED_WORDS}`);
  return messages.map((message) => invalidValue(field, key, message));
}

export function checkLabels(field: string, labels: Readonly<Record<string, string>> = {}): FieldFault[] {
  return Object.entries(labels).flatMap(([key, value]) => [...checkQualifiedName(field, key), ...check(labelValue, field, value)]);
}

/** All annotations of an object together may hold 256 KiB. */
const LONGEST_ANNOTATIONS = 256 * 1024;

export function checkAnnotations(field: string, annotations: Readonly<Record<string, string>> = {}): FieldFault[] {
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  const faults = Object.keys(annotations).flatMap((key) => checkQualifiedName(field, key.toLowerCase()));
  return size > LONGEST_ANNOTATIONS
    ? [...faults, { reason: 'FieldValueTooLong', field, message: `Too long: may not be more than ${LONGEST_ANNOTATIONS} bytes` }]
    : faults;
}
