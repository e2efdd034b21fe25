import { once } from 'node:events';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect } from 'node:net';
import { Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { AppError } from '../../../shared/errors/app-error.ts';
import { proveAndVerify } from '../../../shared/helper/handshake.ts';
import { doorSecret, openHelperDoor, type HelperDoor, type HelperDoorOptions } from '../../fakes/helper-door.ts';

const never = new AbortController().signal;
const knock = (door: HelperDoor, secret: Uint8Array = doorSecret, signal = never, timeoutMs?: number): Promise<Duplex> =>
  proveAndVerify(connect(door.port, '127.0.0.1'), secret, signal, timeoutMs);

async function refusal(options: HelperDoorOptions, secret?: Uint8Array, timeoutMs?: number): Promise<string> {
  await using door = await openHelperDoor(options);
  const error = await knock(door, secret, never, timeoutMs).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  await expect.poll(() => door.connections).toBe(0);
  return error instanceof AppError ? error.code : String(error);
}

/** A stream whose bytes arrive one at a time, each in a packet of its own. */
function inDrips(source: Duplex): Duplex {
  return new Duplex({
    read() {
      source.resume();
    },
    construct(done) {
      source.on('data', (chunk: Buffer) => chunk.forEach((byte) => this.push(Buffer.from([byte]))));
      source.on('end', () => this.push(null)).on('error', (error) => this.destroy(error));
      done();
    },
    write: (chunk: Buffer, _encoding, done) => void source.write(chunk, done),
    final: (done) => void source.end(done),
    destroy(error, done) {
      source.destroy();
      done(error);
    },
  });
}

describe('the handshake', () => {
  test('opens a stream for both who know the secret', async () => {
    await using door = await openHelperDoor({ onOpen: (socket) => socket.pipe(socket) });
    const stream = await knock(door);
    stream.end('hello');
    expect(await text(stream)).toBe('hello');
  });

  test('loses no byte that comes with the proof', async () => {
    await using door = await openHelperDoor({
      onProof: (socket, _proof, server) => void socket.end(Buffer.concat([server, Buffer.from('at once')])),
    });
    expect(await text(await knock(door))).toBe('at once');
  });

  test('takes a proof that comes byte by byte', async () => {
    await using door = await openHelperDoor({
      onProof: (socket, _proof, server) => {
        server.forEach((byte) => socket.write(Buffer.from([byte])));
        socket.write('then');
      },
    });
    const stream = await proveAndVerify(inDrips(connect(door.port, '127.0.0.1')), doorSecret, never);
    let said = '';
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      said += chunk.toString();
      if (said.length === 4) break;
    }
    expect(said).toBe('then');
  });

  test('is followed by HTTP/2 at once, though its first frames come in the same packet as the proof', async () => {
    const http2 = createHttp2Server((_request, response) => response.end('healthy'));
    await using door = await openHelperDoor({
      onProof: (socket, _proof, server) => {
        const [near, far] = duplexPair();
        near.once('data', (frames: Buffer) => {
          near.pause();
          socket.write(Buffer.concat([server, frames]));
          near.pipe(socket).pipe(near);
        });
        http2.emit('connection', far);
      },
    });
    const stream = await knock(door);
    const session = connectHttp2('http://helper', { createConnection: () => stream });
    const request = session.request({ ':path': '/health' });
    expect(await text(request)).toBe('healthy');
    session.close();
    await once(session, 'close');
  });

  test('shows another proof on another connection: what was overheard is of no use', async () => {
    const proofs: string[] = [];
    await using door = await openHelperDoor({
      onProof: (socket, proof, server) => {
        proofs.push(proof.toString('hex'));
        socket.end(server);
      },
    });
    await text(await knock(door));
    await text(await knock(door));
    expect(proofs[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(proofs[0]).not.toBe(proofs[1]);
  });

  test('is refused without a word to whoever knows another secret', async () => {
    expect(await refusal({}, new Uint8Array(32))).toBe('helper_unreachable');
  });

  test.each<[string, HelperDoorOptions]>([
    ['proves itself with another secret', { onProof: (socket) => void socket.end(Buffer.alloc(32)) }],
    ['repeats our proof', { onProof: (socket, proof) => void socket.end(proof) }],
    ['speaks no HTTP/2', { alpn: ['http/1.1'] }],
    ['speaks an older TLS', { maxVersion: 'TLSv1.2' }],
    ['answers garbage', { onConnection: (socket) => void socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n') }],
  ])('does not trust a program that %s', async (_what, options) => {
    expect(await refusal(options)).toBe('helper_protocol_error');
  });

  test.each<[string, HelperDoorOptions]>([
    ['at once', { onConnection: (socket) => void socket.destroy() }],
    ['with a reset', { onConnection: (socket) => void socket.resetAndDestroy() }],
    ['instead of a proof', { onProof: (socket) => void socket.end() }],
    ['in the midst of its proof', { onProof: (socket, _proof, server) => void socket.end(server.subarray(0, 31)) }],
  ])('fails where the other side closes %s', async (_what, options) => {
    expect(await refusal(options)).toBe('helper_unreachable');
  });

  test.each<[string, HelperDoorOptions]>([
    ['TLS', { onConnection: (socket) => void socket.resume() }],
    ['its proof', { onProof: (socket) => void socket.resume() }],
  ])('waits for %s no longer than its limit', async (_what, options) => {
    expect(await refusal(options, undefined, 200)).toBe('helper_unreachable');
  });

  test('is given up with the reason of its signal, and leaves no connection', async () => {
    await using door = await openHelperDoor({ onConnection: (socket) => void socket.resume() });
    const abort = new AbortController();
    const opening = knock(door, doorSecret, abort.signal);
    await expect.poll(() => door.connections).toBe(1);
    abort.abort(new Error('enough'));
    await expect(opening).rejects.toThrow('enough');
    await expect.poll(() => door.connections).toBe(0);
    await expect(knock(door, doorSecret, abort.signal)).rejects.toThrow('enough');
  });

  test('hands a later loss of the connection on as an error or an end, never as silence', async () => {
    await using door = await openHelperDoor({ onOpen: (socket) => void setImmediate(() => socket.destroy()) });
    const stream = await knock(door);
    stream.resume();
    await once(stream, 'close');
    expect(stream.destroyed).toBe(true);
  });
});
