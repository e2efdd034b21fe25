/**
 * Queries as SQL over `json_extract`, with Firestore's rules: a document without the field is in no result that filters or orders by
 * it, values of different types are never equal, less or greater, and types are ordered null, boolean, number, string, array, map
 * (https://cloud.google.com/firestore/docs/concepts/data-types#value_type_ordering).
 *
 * @module
 */
import type { SQLInputValue } from 'node:sqlite';
import { type CheckedQuery, listOf } from './check.ts';
import type { Position } from './cursor.ts';
import type { Condition, Json } from './port.ts';

export interface CompiledQuery {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
}

interface Fragment {
  readonly text: string;
  readonly values: readonly SQLInputValue[];
}

/** The expressions that order one value at `?`: its type's rank, then the value itself, null as 0 because SQL's NULL compares with nothing. */
const RANK = `CASE json_type(data, ?) WHEN 'null' THEN 0 WHEN 'true' THEN 1 WHEN 'false' THEN 1 WHEN 'integer' THEN 2 WHEN 'real' THEN 2 WHEN 'text' THEN 3 WHEN 'array' THEN 4 ELSE 5 END`;
const VALUE = `ifnull(json_extract(data, ?), 0)`;

/** One page and one document more, which tells whether there is a next page. */
export function compileQuery(collection: string, query: CheckedQuery, after: Position | undefined): CompiledQuery {
  const direction = query.order.descending ? 'DESC' : 'ASC';
  const path = query.order.segments && jsonPath(query.order.segments);
  const filters: Fragment[] = [{ text: 'collection = ?', values: [collection] }];
  for (const condition of query.conditions) filters.push(compileCondition(condition));
  if (path !== undefined) filters.push({ text: 'json_type(data, ?) IS NOT NULL', values: [path] });
  if (after !== undefined) filters.push(compileAfter(path, after, query.order.descending));
  const order: Fragment =
    path === undefined
      ? { text: `id ${direction}`, values: [] }
      : { text: `${RANK} ${direction}, ${VALUE} ${direction}, id ${direction}`, values: [path, path] };
  return {
    text: `SELECT id, data, version, updated_at FROM documents WHERE ${filters.map(({ text }) => text).join(' AND ')} ORDER BY ${order.text} LIMIT ?`,
    values: [...filters.flatMap(({ values }) => values), ...order.values, query.limit + 1],
  };
}

/** Segments are checked to hold neither quotes nor backslashes, so that the path may stand in the text of a statement. */
function jsonPath(segments: readonly string[]): string {
  return `$${segments.map((segment) => `."${segment}"`).join('')}`;
}

function compileCondition({ segments, operator, value }: Condition & { readonly segments: readonly string[] }): Fragment {
  const path = jsonPath(segments);
  if (operator !== 'in') return compare(path, operator === '==' ? '=' : operator, value);
  const parts = listOf(value).map((item) => compare(path, '=', item));
  return { text: `(${parts.map(({ text }) => text).join(' OR ')})`, values: parts.flatMap(({ values }) => values) };
}

/**
 * The path stands in the text, and the type is compared by its name, word for word as in the indexes of `indexStatements`: SQLite takes an
 * index on an expression only for that very expression (https://www.sqlite.org/expridx.html).
 */
function compare(path: string, operator: '=' | '<' | '<=' | '>' | '>=', value: Json): Fragment {
  if (value === null) return { text: `json_type(data, '${path}') = 'null'`, values: [] };
  return { text: `(${ofType(path, value)} AND json_extract(data, '${path}') ${operator} ?)`, values: [sqlValue(value)] };
}

function ofType(path: string, value: Exclude<Json, null>): string {
  const type = `json_type(data, '${path}')`;
  if (typeof value === 'string') return isText(path);
  return typeof value === 'number' ? `${type} IN ('integer', 'real')` : `${type} IN ('true', 'false')`;
}

function isText(path: string): string {
  return `json_type(data, '${path}') = 'text'`;
}

/** Fields with text by which few documents are found among many, whatever the collection. */
const INDEXED = ['due_at', 'purge_at', 'emptied_at', 'user'];

/** They cost a write little, and spare the sweep a look at every document there is. */
export const indexStatements: string = INDEXED.map((name) => {
  const path = jsonPath([name]);
  return `CREATE INDEX IF NOT EXISTS documents_by_${name} ON documents (collection, json_extract(data, '${path}')) WHERE ${isText(path)};`;
}).join('\n');

function compileAfter(path: string | undefined, after: Position, descending: boolean): Fragment {
  const operator = descending ? '<' : '>';
  if (path === undefined) return { text: `id ${operator} ?`, values: [after.id] };
  const value = after.value ?? null;
  return {
    text: `(${RANK}, ${VALUE}, id) ${operator} (?, ?, ?)`,
    values: [path, path, rankOf(value), value === null ? 0 : sqlValue(value), after.id],
  };
}

function rankOf(value: Json): number {
  if (value === null) return 0;
  if (Array.isArray(value)) return 4;
  const ranks: Readonly<Record<string, number>> = { boolean: 1, number: 2, string: 3 };
  return ranks[typeof value] ?? 5;
}

function sqlValue(value: Exclude<Json, null>): SQLInputValue {
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'object' ? JSON.stringify(value) : value;
}
