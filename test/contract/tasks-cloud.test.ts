/** What only a network can do: a Cloud Tasks that does not answer, or answers once too late. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { type CloudTasksOptions, openCloudTasks } from '../../shared/tasks/cloud-tasks.ts';
import type { TaskError, TaskQueue } from '../../shared/tasks/port.ts';
import { freshName } from './tasks-fixture.ts';

const unavailable: Partial<TaskError> = { name: 'TaskError', code: 'unavailable' };
const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function openAgainst(
  listener: (request: IncomingMessage, response: ServerResponse) => unknown,
  options: Partial<CloudTasksOptions> = {},
): Promise<TaskQueue> {
  const server = createServer((request, response) => void listener(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const emulatorHost = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const queue = openCloudTasks({
    queue: 'projects/p/locations/l/queues/q',
    url: 'https://tasks.example.com',
    serviceAccount: 'tasks@p.iam.gserviceaccount.com',
    emulatorHost,
    callTimeoutMs: 100,
    ...options,
  });
  closers.push(() => queue.close());
  return queue;
}

it('asks for exactly the request that the tasks unit expects', async () => {
  const bodies: unknown[] = [];
  const queue = await openAgainst(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    bodies.push([request.method, request.url?.split('?')[0], JSON.parse(Buffer.concat(chunks).toString())]);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  const name = freshName();
  const scheduleTime = new Date(Math.floor(Date.now() / 1_000) * 1_000 + 60_250);
  expect(await queue.enqueue({ name, target: 'expire', payload: { id: 's' }, scheduleTime })).toBe('enqueued');
  expect(bodies).toEqual([
    [
      'POST',
      '/v2/projects/p/locations/l/queues/q/tasks',
      {
        task: {
          name: `projects/p/locations/l/queues/q/tasks/${name}`,
          dispatchDeadline: '600s',
          scheduleTime: scheduleTime.toISOString(),
          httpRequest: {
            // HttpMethod.POST, as the client writes enums in JSON.
            httpMethod: 1,
            url: 'https://tasks.example.com/tasks/expire',
            headers: { 'content-type': 'application/json' },
            body: Buffer.from('{"id":"s"}').toString('base64'),
            oidcToken: { serviceAccountEmail: 'tasks@p.iam.gserviceaccount.com', audience: 'https://tasks.example.com' },
          },
        },
      },
    ],
  ]);
});

it('lays a task into the queue of its target, where that has one', async () => {
  const paths: (string | undefined)[] = [];
  const queue = await openAgainst(
    (request, response) => {
      paths.push(request.url?.split('?')[0]);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    },
    { queues: { webhook: 'projects/p/locations/l/queues/hooks' } },
  );
  for (const target of ['webhook', 'expire'] as const) await queue.enqueue({ name: freshName(), target, payload: {} });
  expect(paths).toEqual(['/v2/projects/p/locations/l/queues/hooks/tasks', '/v2/projects/p/locations/l/queues/q/tasks']);
});

it('repeats a call that was cut off or answered with 503', async () => {
  let calls = 0;
  const queue = await openAgainst((request, response) => {
    calls += 1;
    if (calls === 1) request.socket.destroy();
    else if (calls === 2)
      response
        .writeHead(503, { 'content-type': 'application/json' })
        .end('{"error":{"code":503,"status":"UNAVAILABLE","message":"later"}}');
    else response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  expect(await queue.enqueue({ name: freshName(), target: 'job', payload: {} })).toBe('enqueued');
  expect(calls).toBe(3);
});

it('is unavailable where nobody listens, answers or is allowed', async () => {
  const queue = await openAgainst(() => undefined);
  await expect(queue.enqueue({ name: freshName(), target: 'job', payload: {} })).rejects.toMatchObject(unavailable);
  await expect(queue.withdraw(freshName())).rejects.toMatchObject(unavailable);
  const nobody = openCloudTasks({
    queue: 'projects/p/locations/l/queues/q',
    url: 'https://x',
    serviceAccount: 'a@b',
    emulatorHost: '127.0.0.1:1',
  });
  closers.push(() => nobody.close());
  await expect(nobody.enqueue({ name: freshName(), target: 'job', payload: {} })).rejects.toMatchObject(unavailable);
  let calls = 0;
  const forbidden = await openAgainst((_request, response) => {
    calls += 1;
    response
      .writeHead(403, { 'content-type': 'application/json' })
      .end('{"error":{"code":403,"status":"PERMISSION_DENIED","message":"no"}}');
  });
  await expect(forbidden.enqueue({ name: freshName(), target: 'job', payload: {} })).rejects.toMatchObject(unavailable);
  expect(calls).toBe(1);
}, 20_000);
