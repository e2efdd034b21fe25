/**
 * CloudEvents over HTTP, in both of their modes
 * (https://github.com/cloudevents/spec/blob/main/cloudevents/bindings/http-protocol-binding.md).
 *
 * @module
 */
import { z } from 'zod';

export interface CloudEvent {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  /** Of the data; empty where the event does not say. */
  readonly contentType: string;
  readonly data: Uint8Array;
}

const attributes = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1).max(1_024),
  source: z.string().min(1).max(2_048),
  type: z.string().min(1).max(256),
});
const structured = attributes.extend({
  datacontenttype: z.string().optional(),
  data_base64: z.base64().optional(),
});

/** Structured where the content type says so, else binary: attributes in headers. Throws `TypeError` where it is no event. */
export function parseCloudEvent(headers: Headers, body: Uint8Array): CloudEvent {
  const contentType = headers.get('content-type') ?? '';
  const mode = contentType.toLowerCase();
  if (mode.startsWith('application/cloudevents-batch')) throw new TypeError('batches of events are not taken');
  if (mode.startsWith('application/cloudevents')) return parseStructured(mode, body);
  const given = ['specversion', 'id', 'source', 'type'].map((name) => [name, decodeHeader(headers.get(`ce-${name}`))]);
  const parsed = attributes.safeParse(Object.fromEntries(given));
  if (!parsed.success) throw new TypeError(`an attribute is missing or wrong: ${faults(parsed.error)}`);
  const { id, source, type } = parsed.data;
  return { id, source, type, contentType, data: body };
}

function parseStructured(mode: string, body: Uint8Array): CloudEvent {
  if (!/^application\/cloudevents\+json\s*(;|$)/.test(mode)) throw new TypeError('structured events are taken as JSON alone');
  const parsed = structured.safeParse(parseJson(body));
  if (!parsed.success) throw new TypeError(`an attribute is missing or wrong: ${faults(parsed.error)}`);
  const { id, source, type, datacontenttype: contentType = '', data_base64: data = '' } = parsed.data;
  return { id, source, type, contentType, data: Buffer.from(data, 'base64') };
}

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new TypeError('the event is no JSON', { cause: error });
  }
}

/** What a header cannot hold is percent-encoded (§3.1.3.2 of the binding). */
function decodeHeader(value: string | null): string | undefined {
  if (value === null) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function faults(error: z.ZodError): string {
  return error.issues.map(({ path }) => path.join('.')).join(', ');
}
