/**
 * What zod found wrong, in words a caller can act on.
 *
 * @module
 */
import type { z } from 'zod';
import { AppError, type FieldError } from '../errors/app-error.ts';

type Issue = z.core.$ZodIssue;

/** More than anybody reads; a body of a thousand unknown fields must not be answered with a larger one. */
const MOST_ERRORS = 20;
const LONGEST_PATH = 200;

/** 422 with one entry per wrong field. `where` names what was looked at: `The body`, `The query`. */
export function validationError(where: string, issues: readonly Issue[]): AppError {
  const errors = issues.flatMap((issue) => fieldErrors(issue, [])).slice(0, MOST_ERRORS);
  const first = errors[0];
  const detail =
    first === undefined ? `${where} is not valid.` : `${where} is not valid: ${[first.path, first.message].filter(Boolean).join(': ')}.`;
  return new AppError('validation_failed', detail, { errors });
}

/** Values are never repeated: they may be secrets. */
function fieldErrors(issue: Issue, above: readonly PropertyKey[]): FieldError[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: formatPath([...path, key]), message: 'is not known here; leave it out' }));
  }
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    return issue.issues.flatMap((inner) => fieldErrors({ ...inner, path: [] }, path));
  }
  if (issue.code === 'invalid_union') return unionErrors(issue.errors, path);
  return [{ path: formatPath(path), message: describe(issue) }];
}

/** Of a value that may have several forms, what is wrong with the form it has; where it has none of them, the forms there are. */
function unionErrors(branches: readonly (readonly Issue[])[], path: readonly PropertyKey[]): FieldError[] {
  const wrongForm = (issues: readonly Issue[]): boolean => issues.some((issue) => issue.code === 'invalid_type' && issue.path.length === 0);
  const meant = branches.find((issues) => !wrongForm(issues));
  if (meant !== undefined) return meant.flatMap((issue) => fieldErrors(issue, path));
  const forms = branches.flat().flatMap((issue) => (issue.code === 'invalid_type' ? [issue.expected] : []));
  return [{ path: formatPath(path), message: `must be ${forms.join(' or ')}` }];
}

function describe(issue: Issue): string {
  if (issue.code === 'invalid_type') return `must be ${article(issue.expected)}`;
  if (issue.code === 'invalid_value') return `must be ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}`;
  return issue.message;
}

function article(type: string): string {
  if (type === 'record') return 'an object';
  const name = type === 'int' ? 'integer' : type;
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** As a caller would write it: `env.A-B`, `argv[3]`. */
function formatPath(path: readonly PropertyKey[]): string {
  const text = path
    .map((part, index) => (typeof part === 'number' ? `[${String(part)}]` : `${index === 0 ? '' : '.'}${String(part)}`))
    .join('');
  return text.length > LONGEST_PATH ? `${text.slice(0, LONGEST_PATH)}…` : text;
}
