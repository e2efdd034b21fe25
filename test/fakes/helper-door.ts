/**
 * The other end of the helper's handshake, as `helper/PROTOCOL.md` has it, and as badly as a test wants it.
 *
 * @module
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { selfSigned } from './self-signed.ts';

export interface HelperDoorOptions {
  readonly secret?: Uint8Array;
  readonly alpn?: readonly string[];
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** What is done once the client's 32 bytes are there, instead of checking them and proving itself. */
  readonly onProof?: (socket: TLSSocket, proof: Buffer, server: Buffer) => void;
  /** Called when both have proved themselves. */
  readonly onOpen?: (socket: TLSSocket) => void;
  /** Called for each TCP connection, instead of TLS. */
  readonly onConnection?: (socket: Socket) => void;
}

export interface HelperDoor extends AsyncDisposable {
  readonly port: number;
  /** TCP connections that are open now. */
  readonly connections: number;
}

export const doorSecret = new Uint8Array(32).fill(7);

export async function openHelperDoor(options: HelperDoorOptions = {}): Promise<HelperDoor> {
  const { secret = doorSecret, alpn = ['h2'], maxVersion = 'TLSv1.3' } = options;
  const open = new Set<Socket>();
  const tls = createServer({ ...selfSigned(), ALPNProtocols: [...alpn], maxVersion, minVersion: maxVersion });
  tls.on('secureConnection', (socket) => void meet(socket, secret, options));
  const server = createTcpServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => undefined);
    if (options.onConnection === undefined) tls.emit('connection', socket);
    else options.onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return open.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function meet(socket: TLSSocket, secret: Uint8Array, { onProof, onOpen }: HelperDoorOptions): Promise<void> {
  socket.on('error', () => undefined);
  const material = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  const proof = (label: string): Buffer => createHmac('sha256', secret).update(label).update(material).digest();
  let given: Buffer | null = null;
  while (given === null) {
    await once(socket, 'readable');
    given = socket.read(32) as Buffer | null;
  }
  if (onProof !== undefined) return onProof(socket, given, proof('berth-server-v1'));
  if (!given.equals(proof('berth-client-v1'))) return void socket.destroy();
  socket.write(proof('berth-server-v1'));
  onOpen?.(socket);
}
