/**
 * What the store takes and what it refuses, the same for every implementation: what works on the laptop works on Firestore.
 * The limits are Firestore's (https://cloud.google.com/firestore/quotas#limits).
 *
 * @module
 */
import { type Condition, type DocumentKey, type Json, type Query, StoreError, type Write } from './port.ts';

/** The one top-level field that belongs to the store. */
export const RESERVED_FIELD = '_berth';

/**
 * When a document may go by itself. In Firestore it is a Timestamp, the only type that a TTL policy acts on
 * (https://cloud.google.com/firestore/docs/ttl); everywhere else the RFC 3339 text that stands for it.
 */
export const EXPIRY_FIELD = 'purge_at';

const MAX_DOCUMENT_BYTES = 1_048_576;
/** What the store's own field may take of a document. */
const ENVELOPE_BYTES = 1_024;
const MAX_DEPTH = 20;
const MAX_FIELD_NAME_BYTES = 1_500;
const MAX_PAGE = 1_000;
const MAX_DISJUNCTIONS = 30;
const MAX_TRANSACTION_KEYS = 100;

const COLLECTION = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;
const ID = /^[A-Za-z0-9_.:@-]{1,200}$/;
const RESERVED = /^__.*__$/s;
const PATH_SEGMENT = /^[\p{L}\p{N}_@:/+-]{1,200}$/u;

function refuse(message: string): never {
  throw new StoreError('invalid_argument', message);
}

export function checkCollection(collection: string): void {
  if (!COLLECTION.test(collection))
    refuse(`A collection is 1 to 63 letters, digits, _ and -, and starts with a letter; got ${JSON.stringify(collection)}`);
}

export function checkKey(key: DocumentKey): void {
  checkCollection(key.collection);
  if (!ID.test(key.id) || key.id === '.' || key.id === '..' || RESERVED.test(key.id)) {
    refuse(`A document id is 1 to 200 characters of A-Za-z0-9_.:@-, not "." or "..", not __between__; got ${JSON.stringify(key.id)}`);
  }
}

/** Checks the keys of a transaction: 100 at most, each named once. */
export function checkKeys(keys: readonly DocumentKey[]): void {
  if (keys.length > MAX_TRANSACTION_KEYS) refuse(`A transaction reads at most ${MAX_TRANSACTION_KEYS} documents; got ${keys.length}`);
  keys.forEach(checkKey);
  if (new Set(keys.map(keyText)).size !== keys.length) refuse('A transaction names each document once');
}

/** Checks that a transaction writes only what it has read, and each document once. */
export function checkWrites(keys: readonly DocumentKey[], writes: readonly Write[]): void {
  const open = new Set(keys.map(keyText));
  for (const { key } of writes) {
    if (!open.delete(keyText(key))) refuse(`A transaction writes only documents that it has read, each once; got ${keyText(key)}`);
  }
}

/** One text per document, for maps and messages: ids hold no slash. */
export function keyText(key: DocumentKey): string {
  return `${key.collection}/${key.id}`;
}

/**
 * The document as JSON text: `undefined` members left out. Throws `StoreError` `invalid_argument` for what Firestore cannot hold
 * (an array in an array, more than 20 levels, reserved names) or JSON cannot (dates, functions, NaN), and `too_large` beyond 1 MiB,
 * counted as Firestore counts (https://cloud.google.com/firestore/docs/storage-size).
 */
export function encodeDocument(key: DocumentKey, data: object): string {
  checkKey(key);
  if (Object.hasOwn(data, RESERVED_FIELD)) refuse(`${RESERVED_FIELD} is the store's own field`);
  checkExpiry(data);
  const name = byteLength(key.collection) + 1 + byteLength(key.id) + 1 + 16;
  const size = name + 32 + mapSize(data, 1);
  if (size > MAX_DOCUMENT_BYTES - ENVELOPE_BYTES)
    throw new StoreError('too_large', `${keyText(key)} has ${size} bytes; a document holds 1 MiB`);
  return JSON.stringify(data);
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8');
}

function mapSize(value: object, depth: number): number {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) refuse('A document holds plain JSON values only');
  if (depth > MAX_DEPTH) refuse(`A document nests at most ${MAX_DEPTH} levels`);
  let size = 0;
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    if (name === '' || RESERVED.test(name) || byteLength(name) > MAX_FIELD_NAME_BYTES || !name.isWellFormed()) {
      refuse(`Not a name for a field: ${JSON.stringify(name.slice(0, 100))}`);
    }
    size += byteLength(name) + 1 + valueSize(member, depth, false);
  }
  return size;
}

function valueSize(value: unknown, depth: number, inArray: boolean): number {
  if (value === null || typeof value === 'boolean') return 1;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse('A document holds finite numbers only');
    return 8;
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) refuse('A document holds well-formed Unicode only');
    return byteLength(value) + 1;
  }
  if (Array.isArray(value)) {
    if (inArray) refuse('Firestore holds no array in an array');
    if (depth >= MAX_DEPTH) refuse(`A document nests at most ${MAX_DEPTH} levels`);
    return value.reduce((size: number, item: unknown) => size + valueSize(item, depth + 1, true), 0);
  }
  if (typeof value === 'object') return mapSize(value, depth + 1);
  return refuse('A document holds plain JSON values only');
}

/** A text that a Timestamp would give back in another form would not be found again by its own value. */
function checkExpiry(data: object): void {
  const value: unknown = EXPIRY_FIELD in data ? data[EXPIRY_FIELD] : undefined;
  if (value === undefined || value === null || (typeof value === 'string' && isInstant(value))) return;
  refuse(`${EXPIRY_FIELD} is null or a time such as 2026-01-31T12:00:00.000Z`);
}

/** RFC 3339 in UTC with milliseconds, from the year 1 on, as Firestore's Timestamps are. */
export function isInstant(text: string): boolean {
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString() === text && /^(?!0000)\d{4}-/.test(text);
}

export interface CheckedQuery {
  readonly conditions: readonly (Condition & { readonly segments: readonly string[] })[];
  readonly order: { readonly segments: readonly string[] | undefined; readonly descending: boolean };
  readonly limit: number;
}

function checkPath(path: string): readonly string[] {
  const segments = path.split('.');
  for (const segment of segments) {
    if (!PATH_SEGMENT.test(segment) || RESERVED.test(segment) || segment === RESERVED_FIELD)
      refuse(`Not a path into a document: ${JSON.stringify(path)}`);
  }
  return segments;
}

/** What a condition compares with, and where a cursor stands. */
export function checkScalar(condition: Pick<Condition, 'path' | 'operator'>, value: Json): void {
  if (condition.path === EXPIRY_FIELD && value !== null && !(typeof value === 'string' && isInstant(value))) {
    refuse(`${EXPIRY_FIELD} compares with a time such as 2026-01-31T12:00:00.000Z`);
  }
  if (value === null ? condition.operator === '==' : typeof value !== 'object') {
    valueSize(value, 0, false);
    return;
  }
  refuse(`${condition.path} ${condition.operator}: compares with a string, a number or a boolean (== also with null)`);
}

function checkCondition(condition: Condition): void {
  if (condition.operator !== 'in') {
    checkScalar(condition, condition.value);
    return;
  }
  if (!isList(condition.value) || condition.value.length < 1)
    refuse(`${condition.path} in: takes a list of 1 to ${MAX_DISJUNCTIONS} values`);
  for (const value of condition.value) checkScalar(condition, value);
}

export function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

/** The values of an `in` condition. */
export function listOf(value: Json): readonly Json[] {
  return isList(value) ? value : [value];
}

/**
 * Checks a query. Two rules keep it answerable from Firestore's indexes: a range (`<`, `>=`, …) is on the path that orders the result,
 * and the `in` lists of a query multiply to 30 at most.
 */
export function checkQuery(collection: string, query: Query): CheckedQuery {
  checkCollection(collection);
  const { where = [], orderBy, limit } = query;
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) refuse(`A page has 1 to ${MAX_PAGE} documents; got ${limit}`);
  where.forEach(checkCondition);
  const combinations = where.reduce((product, { operator, value }) => (operator === 'in' ? product * listOf(value).length : product), 1);
  if (combinations > MAX_DISJUNCTIONS) refuse(`The in lists of a query multiply to ${MAX_DISJUNCTIONS} at most; got ${combinations}`);
  for (const { path, operator } of where) {
    if (operator !== '==' && operator !== 'in' && path !== orderBy?.path) refuse(`A range on ${path} needs orderBy ${path}`);
  }
  return {
    conditions: where.map((condition) => ({ ...condition, segments: checkPath(condition.path) })),
    order: { segments: orderBy && checkPath(orderBy.path), descending: orderBy?.direction === 'descending' },
    limit,
  };
}
