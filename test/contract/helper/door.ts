/**
 * Who does not know the pod's secret does not get in by TCP.
 *
 * @module
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { helperPort } from '../../../shared/pods/names.ts';
import { soon } from './run.ts';
import { started, type HelperSubject } from './subject.ts';

const REFUSED = { code: 'helper_unreachable', detail: "The session's pod closed the connection before it had proved itself." };

export function describeDoor({ channel, open, rig, target, neighbour, way }: HelperSubject): void {
  describe.concurrent('the door', () => {
    /** A connection to the helper's port, on which nothing has been said yet. */
    const knock = async (): Promise<Duplex> => {
      const { kubernetes } = rig();
      const { namespace, pod } = target();
      if (channel === 'port-forward') return kubernetes.portForward({ namespace, pod, port: helperPort, signal: soon() });
      const { status } = await kubernetes.core.readNamespacedPod({ namespace, name: pod });
      return connect({ host: started(status?.podIP), port: helperPort });
    };
    /** What comes back when these bytes are said first over TLS. */
    const answerTo = async (say: (socket: TLSSocket) => Buffer): Promise<Buffer> => {
      const socket = await secured(await knock());
      socket.write(say(socket));
      return readToEnd(socket);
    };

    test('opens to the secret of the pod', async () => {
      const socket = await secured(await knock());
      socket.write(proof('berth-client-v1', socket, started(target().secret)));
      await once(socket, 'readable');
      expect(socket.read(32)).toEqual(proof('berth-server-v1', socket, started(target().secret)));
      socket.destroy();
    });

    test('stays shut without a secret', async () => {
      await using nobody = open({ target: { secret: undefined } });
      await expect(nobody.client.health(soon())).rejects.toMatchObject({ code: 'helper_unreachable' });
      expect(await answerTo(() => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n00000000000000000'))).toHaveLength(0);
    });

    test("stays shut to a wrong secret and to another pod's", async () => {
      for (const secret of [new Uint8Array(32), started(neighbour().secret)]) {
        await using stranger = open({ target: { secret } });
        await expect(stranger.client.health(soon())).rejects.toMatchObject(REFUSED);
      }
    });

    test('stays shut to a proof that was made for another connection', async () => {
      const first = await secured(await knock());
      const overheard = proof('berth-client-v1', first, started(target().secret));
      expect(await answerTo(() => overheard)).toHaveLength(0);
      first.destroy();
    });

    test('stays shut to a proof of the other side', async () => {
      expect(await answerTo((socket) => proof('berth-server-v1', socket, started(target().secret)))).toHaveLength(0);
    });

    test('stays shut to what is no TLS 1.3', async () => {
      const plain = await knock();
      plain.on('error', () => undefined);
      plain.write('GET /health HTTP/1.1\r\nhost: helper\r\n\r\n');
      expect((await readToEnd(plain)).toString()).not.toContain('protocol');
      const older = secured(await knock(), { maxVersion: 'TLSv1.2', minVersion: 'TLSv1.2' });
      await expect(older).rejects.toThrow(/./);
    });

    test('is open as before to who knows the secret', async () => {
      await expect(way().client.health(soon())).resolves.toMatchObject({ protocol: 3 });
    });
  });
}

async function secured(stream: Duplex, versions: { maxVersion?: 'TLSv1.2'; minVersion?: 'TLSv1.2' } = {}): Promise<TLSSocket> {
  stream.on('error', () => undefined);
  // The helper's certificate is of its own making; who it is, its proof tells.
  const socket = connectTls({ socket: stream, ALPNProtocols: ['h2'], rejectUnauthorized: false, ...versions });
  await once(socket, 'secureConnect', { signal: soon() });
  socket.on('error', () => undefined);
  return socket;
}

function proof(label: string, socket: TLSSocket, secret: Uint8Array): Buffer {
  const material = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  return createHmac('sha256', secret).update(label).update(material).digest();
}

/** Whatever ends the stream. */
async function readToEnd(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
  // `once` of `node:events` would take a write that came too late for the end of it all.
  await new Promise<void>((resolve) => (stream.destroyed ? resolve() : stream.once('close', resolve)));
  return Buffer.concat(chunks);
}
