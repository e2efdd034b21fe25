/**
 * A document as it lies in Firestore: the data's fields at the top level, so that queries and indexes name them as they are, and the
 * store's own field `_berth` with the ids of the last writes. `purge_at` is a Timestamp there, for TTL policies, and text here.
 *
 * The ids answer one question: did a write whose answer was lost take place? A version carries them along, so that every write by
 * `update` and `transact` hands on the ids of those before it.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { DocumentData, DocumentSnapshot, Timestamp } from '@google-cloud/firestore';
import { EXPIRY_FIELD, RESERVED_FIELD } from './check.ts';
import type { DocumentKey, Json, StoredDocument } from './port.ts';

const TRAIL_LENGTH = 4;

export interface StoredRead {
  readonly document: StoredDocument<object> | undefined;
  readonly updateTime: Timestamp | undefined;
  /** Ids of the last writes, the newest first. */
  readonly trail: readonly string[];
}

export function newWriteId(): string {
  return randomBytes(9).toString('base64url');
}

export function extendTrail(writeId: string, before: readonly string[]): readonly string[] {
  return [writeId, ...before].slice(0, TRAIL_LENGTH);
}

/** The class comes with the SDK, which is loaded when it is first needed. */
type Timestamps = Pick<typeof Timestamp, 'fromDate'>;

/** What is sent to Firestore. `json` is the document's checked text. */
export function toFields(json: string, trail: readonly string[], timestamps: Timestamps): DocumentData {
  const data = JSON.parse(json) as Record<string, Json>;
  const expiry = data[EXPIRY_FIELD];
  return {
    ...data,
    ...(expiry === undefined ? {} : { [EXPIRY_FIELD]: toFieldValue(EXPIRY_FIELD, expiry, timestamps) }),
    [RESERVED_FIELD]: { writes: [...trail] },
  };
}

/** The value of a condition or a cursor, as it is compared in Firestore. */
export function toFieldValue(path: string, value: Json, timestamps: Timestamps): Json | Timestamp {
  return path === EXPIRY_FIELD && typeof value === 'string' ? timestamps.fromDate(new Date(value)) : value;
}

/** A Timestamp as the text that stands for it; anything else, as another program may have written it, stays. */
function fromExpiry(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'toDate' in value && typeof value.toDate === 'function'
    ? (value as Timestamp).toDate().toISOString()
    : value;
}

export function toStored<T>(key: DocumentKey, json: string, updateTime: Timestamp, trail: readonly string[]): StoredDocument<T> {
  return { key, data: JSON.parse(json) as T, version: formatVersion(updateTime, trail), updatedAt: updateTime.toDate() };
}

export function fromSnapshot(key: DocumentKey, snapshot: DocumentSnapshot): StoredRead {
  const fields = snapshot.data();
  if (fields === undefined || snapshot.updateTime === undefined) return { document: undefined, updateTime: undefined, trail: [] };
  const { [RESERVED_FIELD]: envelope, ...others } = fields;
  const data = EXPIRY_FIELD in others ? { ...others, [EXPIRY_FIELD]: fromExpiry(others[EXPIRY_FIELD]) } : others;
  const trail = readTrail(envelope);
  const { updateTime } = snapshot;
  return { document: { key, data, version: formatVersion(updateTime, trail), updatedAt: updateTime.toDate() }, updateTime, trail };
}

/** A document that another program wrote has no such field, or another. */
function readTrail(envelope: unknown): readonly string[] {
  if (typeof envelope !== 'object' || envelope === null || !('writes' in envelope) || !Array.isArray(envelope.writes)) return [];
  return envelope.writes.filter((id) => typeof id === 'string');
}

function formatVersion(updateTime: Timestamp, trail: readonly string[]): string {
  return [`${updateTime.seconds}.${String(updateTime.nanoseconds).padStart(9, '0')}`, ...trail].join('~');
}

/** `undefined` where the text is no version: then no document has it. */
export function parseVersion(
  version: string,
): { readonly seconds: number; readonly nanoseconds: number; readonly trail: readonly string[] } | undefined {
  const [time = '', ...trail] = version.split('~');
  const match = /^(\d{1,12})\.(\d{9})$/.exec(time);
  if (match === null) return undefined;
  return { seconds: Number(match[1]), nanoseconds: Number(match[2]), trail: trail.slice(0, TRAIL_LENGTH) };
}
