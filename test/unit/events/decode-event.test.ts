import { describe, expect, it } from 'vitest';
import { parseCloudEvent } from '../../../shared/events/cloud-event.ts';
import { decodeDocumentEvent } from '../../../shared/events/decode-event.ts';
import { readChange } from '../../../shared/events/read-change.ts';
import { encodeEvent, firestoreName } from '../../fakes/firestore-event.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

const source = '//firestore.googleapis.com/projects/p/databases/(default)';
const type = 'google.cloud.firestore.document.v1.written';

describe('the data of a Firestore event', () => {
  it('becomes the documents before and after, every type of value among them', () => {
    const data = {
      text: 'é😀',
      whole: 42,
      large: 9_007_199_254_740_991,
      negative: -7,
      fraction: 0.25,
      yes: true,
      no: false,
      nothing: null,
      zero: 0,
      blank: '',
      list: ['a', 1, { deep: [null] }],
      empty: [],
      map: { 'a.b': { c: 'd' }, none: {} },
    };
    const event = decodeDocumentEvent(encodeEvent({ before: ['things/a', { n: 1 }], after: ['things/a', data] }));
    expect(event).toEqual({ before: { path: 'things/a', data: { n: 1 } }, after: { path: 'things/a', data } });
  });

  it('is as in the public definition: bytes that another encoder made, written out', () => {
    // DocumentEventData{value: Document{name, fields: {"s": string "x", "t": timestamp 1s 500ms, "i": int -1}}}
    const name = Buffer.from(firestoreName('sessions/a'));
    const entry = (key: string, value: readonly number[]): number[] => {
      const message = [0x0a, key.length, ...Buffer.from(key), 0x12, value.length, ...value];
      return [0x12, message.length, ...message];
    };
    const document = [
      ...[0x0a, name.length, ...name],
      ...entry('s', [0x8a, 0x01, 0x01, 0x78]),
      ...entry('t', [0x52, 0x08, 0x08, 0x01, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01]),
      ...entry('i', [0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
    ];
    const bytes = Uint8Array.from([0x0a, document.length, ...document]);
    expect(decodeDocumentEvent(bytes)).toEqual({
      before: undefined,
      after: { path: 'sessions/a', data: { s: 'x', t: '1970-01-01T00:00:01.500Z', i: -1 } },
    });
  });

  it('is refused where it is none', () => {
    expect(() => decodeDocumentEvent(Buffer.from('{"value": 1}'))).toThrow(TypeError);
    expect(() => decodeDocumentEvent(Uint8Array.from([0x0a, 0xff, 0xff, 0xff, 0x7f]))).toThrow(TypeError);
    expect(() => decodeDocumentEvent(encodeEvent({ after: ['', {}] }))).toThrow(TypeError);
  });
});

describe('a CloudEvent', () => {
  const data = encodeEvent({ after: ['sessions/s1', sessionDocument()] });
  const headers = (given: Record<string, string>): Headers =>
    new Headers({
      'ce-specversion': '1.0',
      'ce-id': 'e1',
      'ce-source': source,
      'ce-type': type,
      'content-type': 'application/protobuf',
      ...given,
    });

  it('is read in binary mode and in structured mode, to the same change', () => {
    const binary = readChange(parseCloudEvent(headers({}), data));
    const body = {
      specversion: '1.0',
      id: 'e1',
      source,
      type,
      datacontenttype: 'application/protobuf',
      data_base64: Buffer.from(data).toString('base64'),
    };
    const mode = new Headers({ 'content-type': 'application/cloudevents+json; charset=utf-8' });
    const structured = readChange(parseCloudEvent(mode, Buffer.from(JSON.stringify(body))));
    expect(binary?.after).toMatchObject({ id: sessionDocument().id, status: 'running', user: 'alice' });
    expect(binary?.before).toBeUndefined();
    expect(structured).toEqual(binary);
  });

  it('of another source is another change, though its id is the same', () => {
    const one = readChange(parseCloudEvent(headers({}), data));
    const other = readChange(parseCloudEvent(headers({ 'ce-source': `${source}x` }), data));
    expect(one?.id).not.toBe(other?.id);
  });

  it('about another collection, or below a session, is none of ours', () => {
    for (const path of ['users/alice', 'sessions/s1/notes/n1']) {
      expect(readChange(parseCloudEvent(headers({}), encodeEvent({ after: [path, {}] })))).toBeUndefined();
    }
  });

  it.each([
    ['without an id', { 'ce-id': '' }],
    ['of another version of the specification', { 'ce-specversion': '0.3' }],
    ['in a batch', { 'content-type': 'application/cloudevents-batch+json' }],
    ['that says it is structured and is not', { 'content-type': 'application/cloudevents+json' }],
  ])('is refused %s', (_what, given) => {
    expect(() => parseCloudEvent(headers(given), Buffer.from('nonsense'))).toThrow(TypeError);
  });

  it.each([
    ['of another type', { 'ce-type': 'google.cloud.storage.object.v1.finalized' }, data],
    ['as JSON', { 'content-type': 'application/json' }, Buffer.from('{}')],
    ['with a session that is none', {}, encodeEvent({ after: ['sessions/s1', { status: 'dancing' }] })],
    ['without any document', {}, new Uint8Array()],
  ])('is refused %s', (_what, given, body) => {
    expect(() => readChange(parseCloudEvent(headers(given), body))).toThrow(TypeError);
  });
});
