import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { KubernetesError, KubernetesUnreachable } from '../../../shared/kubernetes/errors.ts';
import { createExecDialer } from '../../../shared/kubernetes/exec-handshake.ts';
import { eventually, startKubeServer } from '../../fakes/kube-server.ts';

const never = new AbortController().signal;

function answer(status: string, body: string, headers = ''): (request: IncomingMessage, socket: Socket) => void {
  return (_request, socket) => {
    socket.end(`HTTP/1.1 ${status}\r\ncontent-length: ${String(Buffer.byteLength(body))}\r\n${headers}\r\n${body}`);
  };
}

describe('a refused handshake', () => {
  test.each([
    [
      '404 Not Found',
      { reason: 'NotFound', message: 'pods "p" not found' },
      { code: 404, reason: 'NotFound', message: 'pods "p" not found' },
    ],
    ['403 Forbidden', { reason: 'Forbidden', message: 'may not' }, { code: 403, reason: 'Forbidden', message: 'may not' }],
    [
      '400 Bad Request',
      { reason: 'BadRequest', message: 'container c is not valid' },
      { code: 400, reason: 'BadRequest', message: 'container c is not valid' },
    ],
    ['500 Internal Server Error', { message: 'boom' }, { code: 500, reason: 'Unknown', message: 'boom' }],
  ])("%s tells the server's words", async (status, body, expected) => {
    await using server = await startKubeServer({ onUpgrade: answer(status, JSON.stringify(body)) });
    const error: unknown = await createExecDialer(server.endpoint)
      .dial('/x', never, () => undefined)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(KubernetesError);
    expect((error as KubernetesError).status).toEqual(expected);
  });

  test('may be a proxy that speaks HTML', async () => {
    await using server = await startKubeServer({ onUpgrade: answer('502 Bad Gateway', '<html>bad</html>', 'retry-after: 7\r\n') });
    const error: unknown = await createExecDialer(server.endpoint)
      .dial('/x', never, () => undefined)
      .catch((caught: unknown) => caught);
    expect((error as KubernetesError).status).toEqual({ code: 502, reason: 'Unknown', message: '<html>bad</html>', retryAfterSeconds: 7 });
  });

  test('is read no further than it is of use', async () => {
    await using server = await startKubeServer({ onUpgrade: answer('500 Error', 'x'.repeat(1024 * 1024)) });
    const error: unknown = await createExecDialer(server.endpoint)
      .dial('/x', never, () => undefined)
      .catch((caught: unknown) => caught);
    expect((error as KubernetesError).status.message).toHaveLength(2_000);
  });

  test('for want of fresh credentials is tried again, once', async () => {
    const tokens: (string | undefined)[] = [];
    await using server = await startKubeServer({
      onUpgrade: (request, socket) => {
        tokens.push(request.headers.authorization);
        answer('401 Unauthorized', '{}')(request, socket);
      },
    });
    let token = 1;
    const endpoint = {
      ...server.endpoint,
      headers: async () => ({ authorization: `Bearer ${String(token)}` }),
      expireHeaders: () => void (token += 1),
    };
    await expect(createExecDialer(endpoint).dial('/x', never, () => undefined)).rejects.toThrow('401');
    expect(tokens).toEqual(['Bearer 1', 'Bearer 2']);
  });
});

describe('a handshake that never ends well', () => {
  test('is given up in time', async () => {
    let closed = false;
    await using server = await startKubeServer({ onUpgrade: (_request, socket) => void socket.on('end', () => (closed = true)).resume() });
    await expect(createExecDialer(server.endpoint, 50).dial('/x', never, () => undefined)).rejects.toThrow(KubernetesUnreachable);
    await eventually(() => closed);
  });

  test("is given up when the caller gives up, with the caller's reason", async () => {
    let reached = false;
    await using server = await startKubeServer({ onUpgrade: () => (reached = true) });
    const abort = new AbortController();
    const dialled = createExecDialer(server.endpoint).dial('/x', abort.signal, () => undefined);
    const failed = expect(dialled).rejects.toThrow('enough');
    await eventually(() => reached);
    abort.abort(new Error('enough'));
    await failed;
  });

  test('is not begun for a caller that has given up', async () => {
    await using server = await startKubeServer({});
    await expect(createExecDialer(server.endpoint).dial('/x', AbortSignal.abort(new Error('enough')), () => undefined)).rejects.toThrow(
      'enough',
    );
    expect(server.connections).toBe(0);
  });

  test.each([
    ['hangs up', (_request: IncomingMessage, socket: Socket) => void socket.destroy()],
    ['speaks garbage', (_request: IncomingMessage, socket: Socket) => void socket.end('garbage\r\n\r\n')],
    [
      'accepts without a subprotocol',
      (_request: IncomingMessage, socket: Socket) =>
        void socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'),
    ],
  ])('is unreachable where the server %s', async (_what, onUpgrade) => {
    await using server = await startKubeServer({ onUpgrade });
    await expect(createExecDialer(server.endpoint).dial('/x', never, () => undefined)).rejects.toThrow(KubernetesUnreachable);
  });

  test('is unreachable where nobody listens', async () => {
    const server = await startKubeServer({});
    await server[Symbol.asyncDispose]();
    await expect(createExecDialer(server.endpoint).dial('/x', never, () => undefined)).rejects.toThrow(KubernetesUnreachable);
  });
});
