import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import type { AppError } from '../../../shared/errors/app-error.ts';
import { openConnection, type Connection, type ConnectionOptions } from '../../../shared/helper/connection.ts';
import type { HelperRequest } from '../../../shared/helper/port.ts';
import { codeOf, startFakeHelper, type Cut, type FakeHelper } from '../../fakes/fake-helper.ts';

const MIB = 1024 * 1024;
const helpers: FakeHelper[] = [];

function open(options: Partial<ConnectionOptions> = {}, cut?: Cut): { readonly helper: FakeHelper; readonly connection: Connection } {
  const helper = startFakeHelper();
  helpers.push(helper);
  return { helper, connection: openConnection(helper.connect(cut), { kind: 'direct', ...options }) };
}

function get(path: string, more: Partial<HelperRequest> = {}): HelperRequest {
  return { method: 'GET', path, signal: AbortSignal.timeout(10_000), ...more };
}

afterEach(() => {
  for (const helper of helpers.splice(0)) helper.stop();
});

describe('a connection to the helper', () => {
  it('answers with status, headers and body', async () => {
    const { connection } = open();
    const response = await connection.request(get('/health'));
    expect(response).toMatchObject({ status: 200, headers: { 'content-type': 'application/json' } });
    expect(JSON.parse(await text(response.body))).toMatchObject({ protocol: 3 });
    await expect.poll(() => connection.openRequests).toBe(0);
  });

  it('sends bodies of bytes and of streams', async () => {
    const { connection } = open();
    for (const body of [Buffer.alloc(MIB, 'x'), Readable.from(Array.from({ length: 64 }, () => Buffer.alloc(MIB / 64, 'x')))]) {
      const response = await connection.request(get('/echo', { method: 'POST', body }));
      expect(await text(response.body)).toBe('x'.repeat(MIB));
    }
  });

  it('stops the peer while nobody reads, and loses nothing', async () => {
    const { helper, connection } = open();
    const bytes = 200 * MIB;
    const { body } = await connection.request(get(`/big?bytes=${String(bytes)}`));
    // Another request on the same connection is not held up.
    for (let round = 0; round < 20; round += 1) await text((await connection.request(get('/health'))).body);
    const sent = helper.sentBytes();
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(4 * MIB);
    let read = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) read += chunk.length;
    expect(read).toBe(bytes);
  });

  it('resets the stream when the caller aborts or destroys the body', async () => {
    const { helper, connection } = open();
    const abort = new AbortController();
    const one = await connection.request(get(`/big?bytes=${String(9 * MIB)}`, { signal: abort.signal }));
    abort.abort(new Error('enough'));
    await expect(text(one.body)).rejects.toThrow('enough');
    const two = await connection.request(get(`/big?bytes=${String(9 * MIB)}`));
    two.body.destroy();
    await expect.poll(() => helper.events).toEqual(['reset /big', 'reset /big']);
    expect(connection.closed).toBe(false);
    await expect.poll(() => connection.openRequests).toBe(0);
  });

  it('resets a request whose own body breaks off', async () => {
    const { helper, connection } = open();
    const body = new Readable({ read: () => undefined });
    body.push('part');
    const response = await connection.request(get('/echo', { method: 'POST', body }));
    body.destroy(new Error('the upload broke'));
    await expect(text(response.body)).rejects.toThrow('the upload broke');
    await expect.poll(() => connection.openRequests).toBe(0);
    expect(helper.requests()).toBe(1);
  });

  it('gives up waiting for an answer, and leaves the connection to others', async () => {
    const { connection } = open({ answerWithinMs: 100 });
    await expect(connection.request(get('/silent'))).rejects.toMatchObject({ code: 'helper_protocol_error' });
    expect((await connection.request(get('/health'))).status).toBe(200);
  });

  it('does not count the time in which an upload has nothing to send', async () => {
    const { connection } = open({ answerWithinMs: 50 });
    const body = new Readable({ read: () => undefined });
    const waiting = connection.request(get('/silent', { method: 'POST', body, answersAfterBody: true }));
    let settled = false;
    waiting.catch(() => undefined).finally(() => (settled = true));
    for (let round = 0; round < 20; round += 1) await text((await connection.request(get('/health'))).body);
    expect(settled).toBe(false);
    body.push(null);
    await expect(waiting).rejects.toMatchObject({ code: 'helper_protocol_error' });
  });

  it('lets more requests wait than the helper takes at once', async () => {
    const { helper, connection } = open();
    const abort = new AbortController();
    const open_ = Array.from({ length: 250 }, () => connection.request(get('/silent', { signal: abort.signal })));
    await expect.poll(() => helper.requests()).toBe(250);
    const waiting = connection.request(get('/health'));
    const impatient = new AbortController();
    const gone = connection.request(get('/health', { signal: impatient.signal }));
    impatient.abort(new Error('gone'));
    await expect(gone).rejects.toThrow('gone');
    expect(helper.requests()).toBe(250);
    abort.abort();
    await Promise.allSettled(open_);
    expect((await waiting).status).toBe(200);
  });

  it('fails every open body, and everybody who waits, when the connection is lost', async () => {
    const reasons: AppError[] = [];
    const { helper, connection } = open({ onClose: (reason) => reasons.push(reason) });
    const bodies = await Promise.all([1, 2, 3].map(() => connection.request(get(`/big?bytes=${String(9 * MIB)}`))));
    const waiting = connection.request(get('/silent'));
    helper.stop();
    for (const { body } of bodies) await expect(text(body)).rejects.toMatchObject({ code: 'helper_connection_lost' });
    await expect(waiting).rejects.toMatchObject({ code: 'helper_connection_lost' });
    await expect(connection.request(get('/health'))).rejects.toMatchObject({ code: 'helper_connection_lost' });
    expect(connection.closed).toBe(true);
    expect(reasons.map(({ code }) => code)).toEqual(['helper_connection_lost']);
  });

  it('never takes a body that was cut for a whole one', async () => {
    const bytes = 40_000;
    let whole = 0;
    for (let after = 50; after < 41_000; after += 1_637) {
      const { connection } = open({}, { afterReceived: after });
      const outcome = await connection
        .request(get(`/big?bytes=${String(bytes)}`))
        .then(({ body }) => text(body).then((all) => all.length, codeOf), codeOf);
      expect([bytes, 'helper_connection_lost']).toContain(outcome);
      if (outcome === bytes) whole += 1;
    }
    expect(whole).toBeLessThan(5);
  });

  it('answers any number of pings at once', async () => {
    const { connection } = open();
    await connection.request(get('/health')).then(({ body }) => text(body));
    await expect(Promise.all(Array.from({ length: 100 }, () => connection.ping(2_000)))).resolves.toHaveLength(100);
  });

  it('tells when a ping is not answered', async () => {
    const { helper, connection } = open();
    await connection.ping(1_000);
    helper.stop();
    await expect(connection.ping(1_000)).rejects.toMatchObject({ code: 'helper_connection_lost' });
  });
});
