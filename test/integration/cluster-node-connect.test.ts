import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { announceMissing, installedRuntimes, namespace, startTestNode } from '../fakes/cluster-node.ts';
import type { TestNode } from '../fakes/cluster-node.ts';

const installed = installedRuntimes();
announceMissing(installed);

/** Listens on a free port of an address, says which, and answers each client with what it was sent, in capitals. */
const SERVE = `
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], 0), family=family)
print(server.getsockname()[1], flush=True)
while True:
    client, _ = server.accept()
    data = b''
    while chunk := client.recv(65536): data += chunk
    client.sendall(data.upper()); client.close()
`;

describe.each(installed)('connections to a pod of the runtime %s', (runtime) => {
  let node: TestNode;

  beforeAll(async () => {
    node = await startTestNode(runtime);
  });
  afterAll(async () => {
    await node.end();
  });

  test.each([
    ['all addresses', '0.0.0.0'],
    ['its own alone', '127.0.0.1'],
    ['those of IPv6', '::'],
  ])('reach a program that listens on %s', async (_where, address) => {
    await node.run('serves', { command: ['python3', '-c', SERVE, address] });
    const connection = await node.node.connect(namespace, 'serves', await portOf('serves'));
    connection.end('hello');
    expect(await text(connection)).toBe('HELLO');
    await node.remove('serves', 0);
  });

  test('reach a program that listens on the address of the pod', async () => {
    const env = [{ name: 'ADDRESS', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }];
    await node.run('serves', { env, command: ['python3', '-c', SERVE, '$(ADDRESS)'] });
    const connection = await node.node.connect(namespace, 'serves', await portOf('serves'));
    connection.end('hello');
    expect(await text(connection)).toBe('HELLO');
    await node.remove('serves', 0);
  });

  test('do not reach what listens on this machine, or in another pod', async () => {
    await node.run('other', { command: ['python3', '-c', SERVE, '0.0.0.0'] });
    await node.run('silent', {});
    const server = createServer((socket) => socket.end('not for you')).listen(0, '0.0.0.0');
    await once(server, 'listening');
    for (const port of [(server.address() as AddressInfo).port, await portOf('other')])
      await expect(node.node.connect(namespace, 'silent', port)).rejects.toMatchObject({
        code: 500,
        message: expect.stringMatching(
          new RegExp(
            `^failed to connect to localhost:${port} inside namespace "[0-9a-f]{64}", IPv4: dial tcp4 127\\.0\\.0\\.1:${port}: connect: connection refused`,
          ),
        ) as string,
      });
    server.close();
    await node.remove('silent', 0);
    await node.remove('other', 0);
  });

  async function portOf(pod: string): Promise<number> {
    await expect.poll(() => node.logs(pod)).toMatch(/^\d+\n$/);
    return Number(await node.logs(pod));
  }
});
