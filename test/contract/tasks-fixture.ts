/**
 * The queues that the contract is held against. Every one delivers to a function of the test.
 *
 * @module
 */
import { createPublicKey, type JsonWebKey, randomBytes, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CloudTasksClient } from '@google-cloud/tasks';
import { GoogleAuth, PassThroughClient } from 'google-auth-library';
import { systemClock } from '../../shared/clock.ts';
import { openDatabase } from '../../shared/documents/database.ts';
import { openCloudTasks } from '../../shared/tasks/cloud-tasks.ts';
import { openLocalQueue } from '../../shared/tasks/local.ts';
import type { TaskError, TaskQueue } from '../../shared/tasks/port.ts';

export interface Received {
  readonly name: string;
  readonly target: string;
  readonly payload: unknown;
  /** 1 for the first. */
  readonly attempt: number;
  readonly at: number;
}

export interface QueueFixture {
  readonly queue: TaskQueue;
  readonly received: Received[];
  close(): Promise<void>;
}

export interface QueueImplementation {
  readonly name: string;
  readonly missing?: string;
  /** `answer` says with which status a delivery is answered. */
  readonly start: (answer: (received: Received) => number) => Promise<QueueFixture>;
}

async function startLocal(answer: (received: Received) => number): Promise<QueueFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-tasks-'));
  const database = openDatabase(join(folder, 'data', 'berth.db'));
  const received: Received[] = [];
  const queue = openLocalQueue({
    database,
    clock: systemClock,
    retry: { minBackoffMs: 100, maxBackoffMs: 1_000 },
    deliver: async (target, payload, { name, attempt }) => {
      const delivery = { name, target, payload, attempt, at: Date.now() };
      received.push(delivery);
      return answer(delivery);
    },
  });
  return {
    queue,
    received,
    close: async () => {
      await queue.close();
      database.close();
      rmSync(folder, { recursive: true });
    },
  };
}

const host = process.env['CLOUD_TASKS_EMULATOR_HOST'];
const issuer = process.env['CLOUD_TASKS_EMULATOR_ISSUER'];
const serviceAccount = 'tasks@berth-test.iam.gserviceaccount.com';
const location = 'projects/berth-test/locations/europe-west1';

async function createQueue(emulatorHost: string, queue: string): Promise<() => Promise<void>> {
  const { hostname, port } = new URL(`http://${emulatorHost}`);
  const auth = new GoogleAuth({ authClient: new PassThroughClient() });
  const client = new CloudTasksClient({ fallback: true, protocol: 'http', apiEndpoint: hostname, port: Number(port), auth });
  const retryConfig = { minBackoff: { nanos: 100_000_000 }, maxBackoff: { seconds: 1 }, maxAttempts: 100 };
  await client.createQueue({ parent: location, queue: { name: queue, retryConfig, rateLimits: { maxDispatchesPerSecond: 500 } } });
  return async () => {
    await client.deleteQueue({ name: queue });
    await client.close();
  };
}

/** Whether the request carries an OIDC token of the emulator for this audience and our service account. */
async function isAuthentic(request: IncomingMessage, audience: string): Promise<boolean> {
  const [head = '', body = '', signature = ''] = (request.headers.authorization ?? '').replace('Bearer ', '').split('.');
  const part = (text: string): Record<string, unknown> => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
  const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: ({ kid: string } & JsonWebKey)[] };
  const key = keys.find(({ kid }) => kid === part(head)['kid']);
  if (key === undefined) return false;
  const genuine = verify(
    'RSA-SHA256',
    Buffer.from(`${head}.${body}`),
    createPublicKey({ key, format: 'jwk' }),
    Buffer.from(signature, 'base64url'),
  );
  const claims = part(body);
  return genuine && claims['aud'] === audience && claims['iss'] === issuer && claims['email'] === serviceAccount;
}

async function startCloudTasks(answer: (received: Received) => number): Promise<QueueFixture> {
  if (host === undefined) throw new Error('no emulator');
  const received: Received[] = [];
  let audience = '';
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      if (!(await isAuthentic(request, audience))) return void response.writeHead(401).end();
      const delivery = {
        name: String(request.headers['x-cloudtasks-taskname']),
        target: (request.url ?? '').replace('/tasks/', ''),
        payload:
          request.headers['content-type'] === 'application/json' ? (JSON.parse(Buffer.concat(chunks).toString()) as unknown) : undefined,
        attempt: Number(request.headers['x-cloudtasks-taskretrycount']) + 1,
        at: Date.now(),
      };
      received.push(delivery);
      response.writeHead(answer(delivery)).end();
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  audience = url;
  const name = `${location}/queues/test-${randomBytes(6).toString('hex')}`;
  const deleteQueue = await createQueue(host, name);
  const queue = openCloudTasks({ queue: name, url, serviceAccount, emulatorHost: host });
  return {
    queue,
    received,
    close: async () => {
      await queue.close();
      await deleteQueue();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const missing =
  host === undefined || issuer === undefined
    ? 'SKIPPED: the task contract on Cloud Tasks. Start the Cloud Tasks emulator and set CLOUD_TASKS_EMULATOR_HOST=host:port and CLOUD_TASKS_EMULATOR_ISSUER=http://host:port.'
    : undefined;

export const implementations: readonly QueueImplementation[] = [
  { name: 'the local queue', start: startLocal },
  { name: 'Cloud Tasks', start: startCloudTasks, ...(missing !== undefined && { missing }) },
];

export const invalid: Partial<TaskError> = { name: 'TaskError', code: 'invalid_argument' };

let made = 0;

export function freshName(): string {
  made += 1;
  return `task-${made}-${randomBytes(4).toString('hex')}`;
}
