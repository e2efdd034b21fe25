/**
 * The `events` unit, as Eventarc calls it.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { internalSecretHeader, secretAuth } from '../../shared/auth/internal.ts';
import { Secret } from '../../shared/auth/secret.ts';
import { StoreError } from '../../shared/documents/port.ts';
import type { SessionChange } from '../../shared/events/model.ts';
import { createEventsApp } from '../../shared/http/create-events-app.ts';
import { encodeEvent } from '../fakes/firestore-event.ts';
import { startServer, type TestServer } from '../fakes/http-server.ts';
import { fakeServices } from '../fakes/services.ts';
import { sessionDocument } from '../fakes/session-document.ts';

describe('the events unit', () => {
  const secret = 'a-secret-of-this-process';
  const handle = vi.fn<(change: SessionChange) => Promise<'handled'>>(() => Promise.resolve('handled'));
  const { services } = fakeServices({ handleChange: (change) => handle(change) });
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer((deps) => createEventsApp(deps, services, secretAuth(new Secret(secret))));
  });
  afterAll(async () => server.stop());

  const source = '//firestore.googleapis.com/projects/p/databases/(default)';
  const before = sessionDocument({ status: 'creating' });
  const data = encodeEvent({ before: [`sessions/${before.id}`, before], after: [`sessions/${before.id}`, sessionDocument()] });
  const binary = {
    [internalSecretHeader]: secret,
    'content-type': 'application/protobuf',
    'ce-specversion': '1.0',
    'ce-id': 'e1',
    'ce-source': source,
    'ce-type': 'google.cloud.firestore.document.v1.written',
    'ce-document': `sessions/${before.id}`,
    'ce-time': '2026-03-01T12:00:00Z',
  };
  const send = (headers: Record<string, string>, body: Uint8Array | string = data, path = '/'): Promise<Response> =>
    fetch(`${server.origin}${path}`, { method: 'POST', headers, body: typeof body === 'string' ? body : Buffer.from(body) });

  it('is told of changes in both modes, at its root and by name', async () => {
    handle.mockClear();
    expect((await send(binary)).status).toBe(200);
    const body = JSON.stringify({
      specversion: '1.0',
      id: 'e1',
      source,
      type: 'google.cloud.firestore.document.v1.written',
      datacontenttype: 'application/protobuf',
      data_base64: Buffer.from(data).toString('base64'),
    });
    const structured = { [internalSecretHeader]: secret, 'content-type': 'application/cloudevents+json' };
    expect((await send(structured, body, '/events')).status).toBe(200);
    const change = { id: `${source}\ne1`, before: { status: 'creating' }, after: { status: 'running', user: 'alice' } };
    expect(handle.mock.calls).toMatchObject([[change], [change]]);
  });

  it('lets documents pass that are no sessions, and sessions whose document goes, whatever version wrote it', async () => {
    handle.mockClear();
    for (const ignored of [encodeEvent({ after: ['users/alice', {}] }), encodeEvent({ before: ['sessions/old', { status: 'unheard' }] })]) {
      const response = await send(binary, ignored);
      expect([response.status, await response.json()]).toEqual([200, { outcome: 'ignored' }]);
    }
    expect(handle).not.toHaveBeenCalled();
  });

  it('refuses everybody else before it reads the body', async () => {
    handle.mockClear();
    for (const headers of [{}, { ...binary, [internalSecretHeader]: 'wrong' }]) expect((await send(headers)).status).toBe(401);
    expect((await send({ ...binary, [internalSecretHeader]: '' }, data, '/events')).status).toBe(401);
    expect(handle).not.toHaveBeenCalled();
  });

  it('answers 422 to what it will never understand, and logs each such event once', async () => {
    const bad = { ...binary, 'ce-id': 'bad-1' };
    for (let time = 0; time < 3; time += 1) {
      const response = await send(bad, 'no protobuf at all');
      expect(response.status).toBe(422);
      expect(await response.json()).toMatchObject({ code: 'bad_event', retryable: false });
    }
    expect(server.lines().filter((line) => line['event_id'] === 'bad-1')).toHaveLength(1);
    expect((await send({ ...binary, 'ce-type': 'com.example.other' })).status).toBe(422);
    expect((await send({ [internalSecretHeader]: secret, 'content-type': 'application/json' }, '{}')).status).toBe(422);
  });

  it('takes no more than two documents can have', async () => {
    expect((await send(binary, new Uint8Array(4 * 1024 * 1024 + 1))).status).toBe(413);
  });

  it('answers 503 where the event has to come again', async () => {
    handle.mockImplementationOnce(() => Promise.reject(new StoreError('unavailable', 'away')));
    expect((await send(binary)).status).toBe(503);
  });
});
