/**
 * What a blob store takes and what it refuses, the same for every implementation: what works on the laptop works in Cloud Storage
 * (https://cloud.google.com/storage/docs/objects#naming).
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { BlobError, type GetOptions, type ListOptions } from './port.ts';

const MAX_NAME_BYTES = 512;
/** Three times as many characters once they are encoded, and a file's name has 255. */
const MAX_PART_BYTES = 64;
const MAX_PAGE = 1_000;
const CONTROL = /\p{Cc}/u;
const CONTENT_TYPE = /^[\x20-\x7e]{1,128}$/;

export const DEFAULT_CONTENT_TYPE = 'application/octet-stream';

function refuse(message: string): never {
  throw new BlobError('invalid_argument', message);
}

export function checkName(name: string): void {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) refuse(`A blob's name has at most ${MAX_NAME_BYTES} bytes`);
  for (const part of name.split('/')) checkPart(part, name);
}

function checkPart(part: string, name: string): void {
  const shown = JSON.stringify(name.slice(0, 100));
  if (part === '' || part === '.' || part === '..')
    refuse(`A blob's name has parts between single slashes, none of them . or ..: ${shown}`);
  if (Buffer.byteLength(part) > MAX_PART_BYTES) refuse(`A part of a blob's name has at most ${MAX_PART_BYTES} bytes: ${shown}`);
  if (CONTROL.test(part) || !part.isWellFormed()) refuse(`A blob's name is well-formed text without control characters: ${shown}`);
}

/** A prefix is the beginning of a name: of its last part only the beginning need be there. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkName(/(^|\/)\.{0,2}$/.test(prefix) ? `${prefix}x` : prefix);
}

/** Throws `invalid_argument` unless the prefix is a whole folder: half a name would delete more than was meant. */
export function checkFolder(prefix: string): void {
  checkPrefix(prefix);
  if (!prefix.endsWith('/')) refuse('Only what lies below a prefix with a slash at its end can be deleted');
}

export function checkContentType(contentType: string | undefined): string {
  if (contentType === undefined) return DEFAULT_CONTENT_TYPE;
  return CONTENT_TYPE.test(contentType) ? contentType : refuse('A content type is 1 to 128 visible ASCII characters and spaces');
}

/** First byte, and the one behind the last, within a blob of this size. */
export function resolveRange(range: GetOptions['range'], size: number): { readonly start: number; readonly end: number } {
  const { start, length = Number.MAX_SAFE_INTEGER } = range ?? { start: 0 };
  if (!Number.isSafeInteger(start) || start < 0) refuse('A range starts at a byte');
  if (!Number.isSafeInteger(length) || length < 0) refuse('A range has a length in bytes');
  const first = Math.min(start, size);
  return { start: first, end: Math.min(size, first + length) };
}

export function checkLimit(limit: ListOptions['limit']): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) refuse(`A page has 1 to ${MAX_PAGE} blobs`);
}

function fingerprint(prefix: string): string {
  return createHash('sha256').update(prefix).digest('base64url').slice(0, 12);
}

/** Where a page ended: its last name, bound to the prefix. */
export function encodeCursor(prefix: string, lastName: string): string {
  return Buffer.from(`${fingerprint(prefix)}${lastName}`).toString('base64url');
}

/** The last name of the page before. Throws `invalid_cursor` for a cursor of another prefix and for anything that is none. */
export function decodeCursor(prefix: string, cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString();
  const name = text.slice(12);
  const whole = encodeCursor(prefix, name) === cursor && !CONTROL.test(name);
  if (whole && text.startsWith(fingerprint(prefix)) && name.startsWith(prefix)) return name;
  throw new BlobError('invalid_cursor', 'The cursor does not belong to this list');
}
