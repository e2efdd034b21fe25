/**
 * A document as it lies in Firestore: the data's fields at the top level, so that queries and indexes name them as they are, and the
 * store's own field `_berth` with the ids of the last writes.
 *
 * The ids answer one question: did a write whose answer was lost take place? A version carries them along, so that every write by
 * `update` and `transact` hands on the ids of those before it.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { DocumentData, DocumentSnapshot, Timestamp } from '@google-cloud/firestore';
import { RESERVED_FIELD } from './check.ts';
import type { DocumentKey, StoredDocument } from './port.ts';

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

/** What is sent to Firestore. `json` is the document's checked text. */
export function toFields(json: string, trail: readonly string[]): DocumentData {
  return { ...(JSON.parse(json) as DocumentData), [RESERVED_FIELD]: { writes: [...trail] } };
}

export function toStored<T>(key: DocumentKey, json: string, updateTime: Timestamp, trail: readonly string[]): StoredDocument<T> {
  return { key, data: JSON.parse(json) as T, version: formatVersion(updateTime, trail), updatedAt: updateTime.toDate() };
}

export function fromSnapshot(key: DocumentKey, snapshot: DocumentSnapshot): StoredRead {
  const fields = snapshot.data();
  if (fields === undefined || snapshot.updateTime === undefined) return { document: undefined, updateTime: undefined, trail: [] };
  const { [RESERVED_FIELD]: envelope, ...data } = fields;
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
