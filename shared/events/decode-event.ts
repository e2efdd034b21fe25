/**
 * From the bytes of a Firestore event to documents as the domains know them.
 *
 * @module
 */
import { z } from 'zod';
import type { Json } from '../documents/port.ts';
import { documentEventType } from './document-schema.ts';

/** A document before or after a write. */
export interface EventDocument {
  /** The path below `documents/`: `sessions/0c9t…`. */
  readonly path: string;
  readonly data: { readonly [field: string]: Json };
}

export interface DocumentEvent {
  readonly before: EventDocument | undefined;
  readonly after: EventDocument | undefined;
}

/** Firestore nests 20 levels; what nests deeper was not sent by it. */
const DEEPEST = 64;

const documentSchema = z.object({ name: z.string(), fields: z.record(z.string(), z.unknown()).default({}) });
const eventSchema = z.object({ value: documentSchema.nullish(), old_value: documentSchema.nullish() });

/** Throws `TypeError` where the bytes are no such event. */
export function decodeDocumentEvent(bytes: Uint8Array): DocumentEvent {
  let message: unknown;
  try {
    message = documentEventType.toObject(documentEventType.decode(bytes), { longs: String, bytes: String, oneofs: true, arrays: true });
  } catch (error) {
    throw new TypeError('the data is no DocumentEventData', { cause: error });
  }
  const parsed = eventSchema.safeParse(message);
  if (!parsed.success) throw new TypeError('the data has a document without a name', { cause: parsed.error });
  const { value, old_value: oldValue } = parsed.data;
  return { before: toDocument(oldValue), after: toDocument(value) };
}

function toDocument(document: z.output<typeof documentSchema> | null | undefined): EventDocument | undefined {
  if (document === null || document === undefined) return undefined;
  const [, path] = /^projects\/[^/]+\/databases\/[^/]+\/documents\/(.+)$/.exec(document.name) ?? [];
  if (path === undefined) throw new TypeError('the name of the document is no path in Firestore');
  return { path, data: toObject(document.fields, 0) };
}

function toObject(fields: unknown, depth: number): Record<string, Json> {
  if (typeof fields !== 'object' || fields === null) return {};
  // `fromEntries` defines its members, so that a field called `__proto__` is a field like any other.
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, toJson(value, depth + 1)]));
}

const valueSchema = z.looseObject({ value_type: z.string().optional() });
const timestampSchema = z.object({ seconds: z.coerce.number().default(0), nanos: z.number().default(0) });
const arraySchema = z.object({ values: z.array(z.unknown()).default([]) });
const mapSchema = z.object({ fields: z.unknown().optional() });

function toJson(given: unknown, depth: number): Json {
  if (depth > DEEPEST) throw new TypeError('the document is nested too deeply');
  const message = valueSchema.parse(given);
  const kind = message.value_type;
  const value = kind === undefined ? null : message[kind];
  switch (kind) {
    case 'integer_value':
      return Number(value);
    case 'timestamp_value':
      return toTime(value);
    case 'array_value':
      return arraySchema.parse(value ?? {}).values.map((item) => toJson(item, depth + 1));
    case 'map_value':
      return toObject(mapSchema.parse(value ?? {}).fields, depth);
    case 'boolean_value':
    case 'double_value':
    case 'string_value':
    case 'bytes_value':
    case 'reference_value':
      return z.union([z.boolean(), z.number(), z.string()]).parse(value);
    default:
      return null;
  }
}

/** With milliseconds, as times are written in documents. */
function toTime(value: unknown): string {
  const { seconds, nanos } = timestampSchema.parse(value ?? {});
  const time = new Date(seconds * 1000 + Math.floor(nanos / 1e6));
  if (Number.isNaN(time.getTime())) throw new TypeError('a time is out of range');
  return time.toISOString();
}
