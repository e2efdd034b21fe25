import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { createHelperClient } from '../../../shared/helper/client.ts';
import { createCaller, idSegment, withQuery } from '../../../shared/helper/client-request.ts';
import { openChannel } from '../../../shared/helper/channel.ts';
import { connectionLost } from '../../../shared/helper/errors.ts';
import type { PodChannel } from '../../../shared/helper/port.ts';
import { healthSchema } from '../../../shared/helper/protocol.ts';
import { codeOf, startFakeHelper } from '../../fakes/fake-helper.ts';

const closing: (() => void)[] = [];
const signal = AbortSignal.timeout(20_000);

function start() {
  const helper = startFakeHelper();
  let channel: PodChannel | undefined;
  closing.push(() => helper.stop());
  const channelOf = async (within: AbortSignal): Promise<PodChannel> => {
    channel ??= await openChannel(helper.connect(), 'direct', within, {
      clock: { now: () => new Date() },
      onClose: () => (channel = undefined),
    });
    return channel;
  };
  return { helper, channelOf, caller: createCaller(channelOf), client: createHelperClient(channelOf) };
}

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

describe('requests of the client', () => {
  it('come through the schema', async () => {
    const { client, caller } = start();
    expect(await client.health(signal)).toEqual({
      protocol: 3,
      version: 'fake',
      started_at: '2026-01-01T00:00:00Z',
      pid: 1,
      boot_id: 'boot-1',
    });
    await expect(caller.json('GET', '/big?bytes=10', healthSchema, { signal })).rejects.toMatchObject({ code: 'helper_protocol_error' });
    await expect(client.stats(signal)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('refuse answers that are larger than any can be', async () => {
    const { caller, helper } = start();
    await expect(caller.json('GET', '/big?bytes=9000000', healthSchema, { signal })).rejects.toMatchObject({
      code: 'helper_protocol_error',
    });
    await expect.poll(() => helper.events).toEqual(['reset /big']);
  });

  it('tell what the helper refuses in words of ours', async () => {
    const { caller } = start();
    const refused = caller.run('POST', '/problem/409?code=exists&detail=%1B[2J/workspace/a', { signal });
    await expect(refused).rejects.toMatchObject({
      code: 'conflict',
      detail: 'It exists already: [2J/workspace/a',
      extensions: { reason: 'exists' },
    });
  });

  it('are sent once more over a new channel where they may be, and only there', async () => {
    const { channelOf } = start();
    const cut: PodChannel = { ...(await channelOf(signal)), closed: false, request: () => Promise.reject(connectionLost('cut')) };
    for (const [repeatable, expected] of [
      [true, 'boot-1'],
      [false, 'helper_connection_lost'],
    ] as const) {
      const channels = [cut];
      const caller = createCaller(async (within) => channels.shift() ?? channelOf(within));
      const outcome = await caller.json('GET', '/health', healthSchema, { signal, repeatable }).then((health) => health.boot_id, codeOf);
      expect(outcome).toBe(expected);
    }
  });

  it('leave the body of an answer to the caller', async () => {
    const { caller } = start();
    const { body } = await caller.open('POST', '/echo', { signal, body: Buffer.from('hello') });
    expect(await text(body)).toBe('hello');
  });
});

describe('paths', () => {
  it('encode text and bytes, and leave out what is not given', () => {
    const query = { path: '/a b/ü&?', to: Buffer.from([0x2f, 0xff]), after: undefined, limit: 5, parents: true, overwrite: false };
    expect(withQuery('/x', query)).toBe('/x?path=%2Fa%20b%2F%C3%BC%26%3F&to=%2f%ff&limit=5&parents=1&overwrite=0');
    expect(withQuery('/x', { after: undefined })).toBe('/x');
  });

  it('hold ids and nothing else', () => {
    expect(idSegment('aZ_-09')).toBe('aZ_-09');
    for (const id of ['', '../health', 'a/b', 'a?b', 'x'.repeat(65)]) expect(() => idSegment(id)).toThrow(TypeError);
  });
});
