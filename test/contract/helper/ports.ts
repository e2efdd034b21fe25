/**
 * TCP to what listens in the pod.
 *
 * @module
 */
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { newId } from '../../../shared/ids.ts';
import { helperPort } from '../../../shared/pods/names.ts';
import { channelKinds, type HelperImage } from './pods.ts';
import { rest, sh, soon, start } from './run.ts';
import type { HelperSubject } from './subject.ts';

/** Says what it was told, once its peer has said everything. */
const pythonListener = `import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    peer, _ = server.accept()
    said = b""
    while part := peer.recv(65536): said += part
    peer.sendall(b"heard " + said)
    peer.close()`;

export function describePorts({ way, image, channel }: HelperSubject): void {
  // The pod is shared by all kinds of channels.
  const port = 9_100 + channelKinds.indexOf(channel);
  describe('a port of the pod', () => {
    test('on which nothing listens refuses', async () => {
      await expect(way().client.ports.connect(9, soon())).rejects.toMatchObject({ code: 'not_found' });
    });

    test("that is the helper's own is not to be had", async () => {
      await expect(way().client.ports.connect(helperPort, soon())).rejects.toMatchObject({ code: 'forbidden' });
    });

    if (image.listener === undefined) return;
    const argv = listenerOf(image.listener, port);

    test('is a stream both ways, of which each half ends by itself', async () => {
      const id = newId();
      const records = start(way().client, argv, { id });
      await records.next();
      const stream = await connected(() => way().client.ports.connect(port, soon()));
      stream.write('one ');
      stream.end('two');
      expect(await text(stream)).toBe('heard one two');
      await way().client.executions.cancel(id, soon());
      expect((await rest(records)).at(-1)).toMatchObject({ type: 'end' });
    });
  });
}

function listenerOf(listener: NonNullable<HelperImage['listener']>, port: number): readonly string[] {
  if (listener === 'python3') return ['python3', '-c', pythonListener, String(port)];
  return ['nc', '-l', '-p', String(port), '-e', ...sh('printf "heard "; cat')];
}

/** The program needs a moment until it listens. */
async function connected(connect: () => Promise<Duplex>): Promise<Duplex> {
  for (const until = performance.now() + 5_000; ;) {
    try {
      return await connect();
    } catch (error) {
      if (performance.now() > until) throw error;
      await once(AbortSignal.timeout(50), 'abort');
    }
  }
}
