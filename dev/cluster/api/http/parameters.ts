/**
 * Query parameters of lists, watches and deletes.
 *
 * @module
 */
import type { Kind } from '../resources.ts';
import { parseFieldSelector, parseLabelSelector } from '../selectors.ts';
import type { Selection } from '../selectors.ts';
import { badRequest } from '../status.ts';

export function selectionOf(kind: Kind, query: URLSearchParams): Selection {
  return {
    labels: parseLabelSelector(query.get('labelSelector') ?? ''),
    fields: parseFieldSelector(kind, query.get('fieldSelector') ?? ''),
  };
}

export function booleanOf(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value === '1' || value === 'true' || value === 'True' || value === 't';
}

/** Throws 400 for what is not an integer. */
export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** `undefined`: not given, or empty. Throws 400 for what is not a version. */
export function versionOf(query: URLSearchParams): number | undefined {
  const text = query.get('resourceVersion') ?? '';
  if (text === '') return undefined;
  if (!/^\d+$/.test(text))
    throw badRequest(
      `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  return Number(text);
}
