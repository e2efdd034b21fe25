/**
 * Cursors: where a page ended, bound to the query it belongs to.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { checkKey, checkScalar } from './check.ts';
import { type Json, type Page, type Query, type StoredDocument, StoreError } from './port.ts';

/** The last document of a page: its id, and its value at the path that orders the query (absent where ids do). */
export interface Position {
  readonly id: string;
  readonly value?: Json;
}

function fingerprint(collection: string, query: Query): string {
  const conditions = (query.where ?? []).map(({ path, operator, value }) => [path, operator, value]);
  const order = query.orderBy === undefined ? null : [query.orderBy.path, query.orderBy.direction];
  return createHash('sha256')
    .update(JSON.stringify([collection, conditions, order]))
    .digest('base64url')
    .slice(0, 16);
}

function encodeCursor(collection: string, query: Query, position: Position): string {
  const parts = [fingerprint(collection, query), position.id, ...(position.value === undefined ? [] : [position.value])];
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** The page of a query, from what was found with a limit of one more than the page: the one too many tells that there is a next page. */
export function toPage<T extends object>(collection: string, query: Query, found: readonly StoredDocument<T>[]): Page<T> {
  const documents = found.slice(0, query.limit);
  const last = documents.at(-1);
  if (found.length <= query.limit || last === undefined) return { documents };
  const position = query.orderBy === undefined ? {} : { value: valueAt(last.data, query.orderBy.path) };
  return { documents, nextCursor: encodeCursor(collection, query, { id: last.key.id, ...position }) };
}

/** The value at a path that is in the document, as in every result that is ordered by it. */
function valueAt(data: object, path: string): Json {
  let value = data as Json;
  for (const name of path.split('.')) value = (value as { readonly [key: string]: Json })[name] ?? null;
  return value;
}

/** Throws `StoreError` `invalid_cursor` for a cursor of another query and for anything that is none. A page of another size is fine. */
export function decodeCursor(collection: string, query: Query): Position | undefined {
  if (query.cursor === undefined) return undefined;
  const parts = parse(query.cursor);
  const [owner, id, value] = parts;
  const length = query.orderBy === undefined ? 2 : 3;
  const fault = new StoreError('invalid_cursor', 'The cursor does not belong to this query');
  if (parts.length !== length || owner !== fingerprint(collection, query) || typeof id !== 'string') throw fault;
  try {
    // Anybody can make a cursor: what no document has is not for the store to find out.
    checkKey({ collection, id });
    if (query.orderBy !== undefined && value !== undefined) checkScalar({ path: query.orderBy.path, operator: '==' }, value);
  } catch {
    throw fault;
  }
  return value === undefined ? { id } : { id, value };
}

/** Decoding forgives what encoding never makes, so only a text that comes out again the same counts. */
function parse(cursor: string): readonly Json[] {
  const bytes = Buffer.from(cursor, 'base64url');
  if (bytes.toString('base64url') !== cursor) return [];
  try {
    const parts: unknown = JSON.parse(bytes.toString('utf8'));
    return Array.isArray(parts) ? (parts as readonly Json[]) : [];
  } catch {
    return [];
  }
}
