/**
 * `exec` and `log` of the embedded cluster.
 */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { V1Status } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { container, json, NS, startApiRig, TOKEN, until, untilPresent } from '../unit/dev/cluster-api/api-rig.ts';
import type { ApiRig } from '../unit/dev/cluster-api/api-rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await startApiRig();
});

afterAll(() => rig.stop());

interface Exec {
  readonly socket: WebSocket;
  /** Bytes of the channels 1, 2 and 3, as text. */
  readonly channels: Record<number, string>;
  readonly closed: Promise<number>;
}

function exec(pod: string, command: readonly string[], flags: string, protocol = 'v5.channel.k8s.io'): Exec {
  const query = command.map((word) => `command=${encodeURIComponent(word)}`).join('&');
  const socket = new WebSocket(`${rig.url.replace('http', 'ws')}/api/v1/namespaces/${NS}/pods/${pod}/exec?${query}&${flags}`, protocol, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const channels: Record<number, string> = {};
  socket.on('message', (data: Buffer) => {
    const channel = data[0] ?? -1;
    channels[channel] = (channels[channel] ?? '') + data.subarray(1).toString();
  });
  // What goes wrong shows in the code, or in what has not arrived.
  socket.on('error', () => undefined);
  return { socket, channels, closed: new Promise((resolve) => socket.on('close', resolve)) };
}

describe('exec', () => {
  beforeAll(async () => {
    await rig.createPod('shell');
    await rig.createPod('unpulled', { containers: [container({ image: 'missing/image:1' })] });
    await rig.createPod('pair', { containers: [container(), container({ name: 'd' })] });
    await until(async () =>
      (await rig.core.readNamespacedPod({ name: 'shell', namespace: NS })).status?.phase === 'Running' ? true : undefined,
    );
  });

  it('keeps the streams apart and tells the exit code', async () => {
    const { channels, closed } = exec('shell', ['sh', '-c', 'echo out; echo err >&2; exit 3'], 'stdout=1&stderr=1');
    expect(await closed).toBe(1000);
    expect([channels[1], channels[2]]).toEqual(['out\n', 'err\n']);
    expect(JSON.parse(channels[3] ?? '')).toEqual({
      metadata: {},
      status: 'Failure',
      message: 'command terminated with non-zero exit code: command terminated with exit code 3',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
  });

  it('ends the input when v5 closes the channel', async () => {
    const { socket, channels, closed } = exec('shell', ['cat'], 'stdin=1&stdout=1');
    await once(socket, 'open');
    socket.send(Buffer.from('\0hello'));
    socket.send(Buffer.from([255, 0]));
    await closed;
    expect([channels[1], JSON.parse(channels[3] ?? '')]).toEqual(['hello', { metadata: {}, status: 'Success' }]);
  });

  it('carries large input and output unharmed', async () => {
    const { socket, channels, closed } = exec(
      'shell',
      ['sh', '-c', 'wc -c; head -c 5000000 /dev/zero'],
      'stdin=1&stdout=1',
      'v5.channel.k8s.io',
    );
    await once(socket, 'open');
    for (let part = 0; part < 40; part += 1) socket.send(Buffer.alloc(131_073));
    socket.send(Buffer.from([255, 0]));
    await closed;
    expect(channels[1]?.split('\n')[0]?.trim()).toBe(String(40 * 131_072));
    expect(channels[1]?.split('\n')[1]?.length).toBe(5_000_000);
  });

  it('makes a process wait whose output nobody reads, and lets it go on with the reader', async () => {
    const size = 100_000_000;
    const marker = join(rig.directory, 'all-written');
    const stalled = exec('shell', ['sh', '-c', `head -c ${size} /dev/zero; touch ${marker}`], 'stdout=1');
    let received = 0;
    stalled.socket.removeAllListeners('message');
    stalled.socket.on('message', (data: Buffer) => (received += data[0] === 1 ? data.length - 1 : 0));
    await once(stalled.socket, 'message');
    stalled.socket.pause();
    // Another one of the same size, begun later, is through: the first has had its time.
    const other = exec('shell', ['head', '-c', String(size), '/dev/zero'], 'stdout=1');
    other.socket.removeAllListeners('message');
    expect(await other.closed).toBe(1000);
    expect(existsSync(marker)).toBe(false);
    stalled.socket.resume();
    expect(await stalled.closed).toBe(1000);
    expect([received, existsSync(marker)]).toEqual([size, true]);
  });

  it('passes the size of a terminal on', async () => {
    const { socket, closed } = exec('shell', ['cat'], 'stdin=1&stdout=1&tty=1');
    await once(socket, 'open');
    socket.send(Buffer.from(`\x04${JSON.stringify({ Width: 120, Height: 40 })}`));
    socket.send(Buffer.from('\x04nonsense'));
    await until(async () => (rig.node.resized.length > 0 ? true : undefined));
    expect(rig.node.resized).toEqual([[120, 40]]);
    socket.send(Buffer.from([255, 0]));
    await closed;
  });

  it('speaks v4 too, with the words that come out there', async () => {
    const { socket, channels, closed } = exec('shell', ['sh', '-c', 'exit 1'], 'stdout=1', 'v4.channel.k8s.io');
    await closed;
    expect(socket.protocol).toBe('v4.channel.k8s.io');
    expect((JSON.parse(channels[3] ?? '') as V1Status).message).toBe(
      'command terminated with non-zero exit code: error executing command [sh -c exit 1], exit code 1',
    );
  });

  it('leaves the process running when the connection is cut, and ends its input', async () => {
    const marker = join(rig.directory, 'after-the-cut');
    const { socket, channels } = exec('shell', ['sh', '-c', `echo up; cat >/dev/null; echo ended > ${marker}`], 'stdin=1&stdout=1');
    await until(async () => channels[1]);
    socket.terminate();
    expect(await untilPresent(() => readFile(marker, 'utf8').then((text) => text || Promise.reject(new Error('empty'))))).toBe('ended\n');
  });

  const refused: readonly (readonly [what: string, pod: string, flags: string, code: number, message: string])[] = [
    ['a missing pod', 'none', 'stdout=1', 404, 'pods "none" not found'],
    ['a container of another pod', 'shell', 'stdout=1&container=zz', 400, 'container zz is not valid for pod shell'],
    ['no choice of containers', 'pair', 'stdout=1', 400, 'a container name must be specified for pod pair, choose one of: [c d]'],
  ];
  it.each(refused)('is refused before the upgrade for %s', async (_what, pod, flags, code, message) => {
    const { socket } = exec(pod, ['true'], flags);
    const response = await new Promise<IncomingMessage>((resolve) =>
      socket.on('unexpected-response', (_request, answer) => resolve(answer)),
    );
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part as Buffer);
    expect([response.statusCode, (JSON.parse(Buffer.concat(parts).toString()) as V1Status).message]).toEqual([code, message]);
  });

  it('tells what the node refuses on the error channel, as a real API server does', async () => {
    const { channels, closed } = exec('unpulled', ['true'], 'stdout=1');
    await closed;
    expect(JSON.parse(channels[3] ?? '')).toMatchObject({
      status: 'Failure',
      code: 500,
      message: 'Internal error occurred: unable to upgrade connection: container not found ("c")',
    });
  });

  it('takes commands of several hundred KiB', async () => {
    const { channels, closed } = exec(
      'shell',
      ['sh', '-c', 'echo ${#1}', 'sh', 'x'.repeat(100_000), 'y'.repeat(100_000), 'z'.repeat(100_000)],
      'stdout=1',
    );
    await closed;
    expect(channels[1]).toBe('100000\n');
  });
});

describe('logs', () => {
  const log = (query: string, pod = 'shell'): Promise<Response> => rig.call(`/api/v1/namespaces/${NS}/pods/${pod}/log?${query}`);

  it('are passed on, from the end where that is asked for', async () => {
    expect(await (await log('')).text()).toBe('one\ntwo\nthree\n');
    expect(await (await log('tailLines=1&timestamps=true')).text()).toBe('2026-01-01T00:00:00Z three\n');
  });

  it('are followed until the reader goes', async () => {
    const abort = new AbortController();
    const response = await rig.call(`/api/v1/namespaces/${NS}/pods/shell/log?follow=true&tailLines=1`, { signal: abort.signal });
    const reader = response.body?.getReader();
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('three\n');
    abort.abort();
    await expect(reader?.read()).rejects.toThrow('aborted');
  });

  it.each([
    ['tailLines=-1', 'shell', 422, 'PodLogOptions "shell" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'],
    ['sinceSeconds=0', 'shell', 422, 'PodLogOptions "shell" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0'],
    ['tailLines=abc', 'shell', 400, 'strconv.ParseInt: parsing "abc": invalid syntax'],
    ['previous=true', 'shell', 400, 'previous terminated container "c" in pod "shell" not found'],
    ['container=zz', 'shell', 400, 'container zz is not valid for pod shell'],
    ['', 'unpulled', 400, 'container "c" in pod "unpulled" is waiting to start: image can\'t be pulled'],
    ['', 'none', 404, 'pods "none" not found'],
  ])('with %j of %s are refused with %i', async (query, pod, code, message) => {
    const response = await log(query, pod);
    expect([response.status, (await json<V1Status>(response)).message]).toEqual([code, message]);
  });
});
