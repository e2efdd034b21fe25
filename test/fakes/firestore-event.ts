/**
 * What Firestore's trigger would send: protobuf bytes, made with the schema that reads them; one test holds that schema to bytes that
 * were written out by hand.
 */
import type { Json } from '../../shared/documents/port.ts';
import { documentEventType } from '../../shared/events/document-schema.ts';

type Side = readonly [path: string, data: object];

export function firestoreName(path: string): string {
  return `projects/p/databases/(default)/documents/${path}`;
}

/** An empty path makes a document without a name. */
export function encodeEvent({ before, after }: { readonly before?: Side; readonly after?: Side }): Uint8Array {
  const message = {
    ...(after === undefined ? {} : { value: toDocument(after) }),
    ...(before === undefined ? {} : { old_value: toDocument(before) }),
  };
  return documentEventType.encode(documentEventType.fromObject(message)).finish();
}

function toDocument([path, data]: Side): object {
  return {
    name: path === '' ? '' : firestoreName(path),
    fields: toFields(data as { readonly [name: string]: Json | undefined }),
    create_time: { seconds: 1, nanos: 0 },
    update_time: { seconds: 2, nanos: 0 },
  };
}

function toFields(data: { readonly [name: string]: Json | undefined }): Record<string, object> {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, toValue(value)]));
}

function toValue(value: Json | undefined): object {
  if (value === null || value === undefined) return { null_value: 0 };
  if (typeof value === 'string') return { string_value: value };
  if (typeof value === 'boolean') return { boolean_value: value };
  if (typeof value === 'number') return Number.isInteger(value) ? { integer_value: value } : { double_value: value };
  if (isList(value)) return { array_value: { values: value.map(toValue) } };
  return { map_value: { fields: toFields(value) } };
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
