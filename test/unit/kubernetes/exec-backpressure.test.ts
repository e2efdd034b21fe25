import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { settled, startKubeServer } from '../../fakes/kube-server.ts';

import { finish, message, open } from '../../fakes/kube-exec.ts';

const MIB = 1024 * 1024;
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Buffers that were collected are given back a moment later. */
async function memoryInUse(): Promise<number> {
  collectGarbage();
  await setImmediate();
  collectGarbage();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

describe('a slow side holds the other up', () => {
  const TOTAL = 200 * MIB;

  test('a producer of 200 MiB stops until it is read, and memory stays flat', async () => {
    let sent = 0;
    const part = message(1, Buffer.alloc(64 * 1024));
    await using server = await startKubeServer({
      onExec: (socket) => {
        const produce = (): void => {
          if (sent >= TOTAL) return finish(socket);
          sent += part.length - 1;
          socket.send(part, () => produce());
        };
        produce();
      },
    });
    const stream = await open(server);
    expect(await settled(() => sent)).toBeLessThan(20 * MIB);
    const before = await memoryInUse();
    let received = 0;
    let most = 0;
    for await (const chunk of stream.stdout as AsyncIterable<Buffer>) {
      const measure = Math.floor(received / (20 * MIB)) !== Math.floor((received + chunk.length) / (20 * MIB));
      received += chunk.length;
      if (measure) most = Math.max(most, (await memoryInUse()) - before);
    }
    expect(received).toBe(TOTAL);
    expect(most).toBeLessThan(20 * MIB);
    expect(await stream.exit).toEqual({ type: 'exited', exitCode: 0 });
  });

  test('a writer waits for a command that does not read, then everything arrives, in order', async () => {
    const hash = createHash('sha256');
    let received = 0;
    let served: WebSocket | undefined;
    await using server = await startKubeServer({
      onExec: (socket) => {
        served = socket;
        socket.pause();
        socket.on('message', (data: Buffer) => {
          if (data[0] === 255) return finish(socket);
          received += data.length - 1;
          hash.update(data.subarray(1));
        });
      },
    });
    const stream = await open(server, { stdin: true });
    const sentHash = createHash('sha256');
    let taken = 0;
    const source = async function* (): AsyncGenerator<Buffer> {
      for (let index = 0; index < 64; index += 1) {
        const chunk = Buffer.alloc(MIB, index);
        sentHash.update(chunk);
        taken += chunk.length;
        yield chunk;
      }
    };
    const writing = pipeline(source, stream.stdin);
    expect(await settled(() => taken)).toBeLessThan(20 * MIB);
    served?.resume();
    await writing;
    stream.stdout.resume();
    expect(await stream.exit).toEqual({ type: 'exited', exitCode: 0 });
    expect(received).toBe(64 * MIB);
    expect(hash.digest('hex')).toBe(sentHash.digest('hex'));
  });

  test('an output that is destroyed holds nothing up', async () => {
    await using server = await startKubeServer({
      onExec: (socket) => {
        for (let index = 0; index < 64; index += 1) socket.send(message(2, Buffer.alloc(64 * 1024)));
        socket.send(message(1, 'done'));
        finish(socket);
      },
    });
    const stream = await open(server);
    stream.stderr.destroy();
    expect(await text(stream.stdout)).toBe('done');
  });
});
