/**
 * The task queue on Cloud Tasks: each task is a POST to the `tasks` unit with an OIDC token of our service account.
 *
 * The client speaks REST: a call stands for itself, where a gRPC channel that was frozen with its Cloud Run instance first has to find
 * out that it is dead. The library is loaded with the first task, because that costs a cold start a third of a second.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { CloudTasksClient } from '@google-cloud/tasks';
import { type Clock, systemClock } from '../clock.ts';
import { checkName, encodeTask } from './check.ts';
import { type Task, TaskError, type TaskQueue, type TaskTarget } from './port.ts';

export interface CloudTasksOptions {
  /** `projects/P/locations/L/queues/Q` */
  readonly queue: string;
  /** Of the same form, for targets that have a queue of their own: slow ones then keep nothing else waiting. */
  readonly queues?: Readonly<Partial<Record<TaskTarget, string>>>;
  /** The origin of the `tasks` unit, without a slash at the end; tasks go to `<url>/tasks/<target>`. */
  readonly url: string;
  /** Email of the service account in whose name the requests come. */
  readonly serviceAccount: string;
  /** What the unit expects in the token; `url` where absent. */
  readonly audience?: string;
  /** `host:port` of an emulator, without TLS or credentials. */
  readonly emulatorHost?: string | undefined;
  /** When a request counts as failed, in seconds, 15 to 1,800; Cloud Tasks' 600 where absent. */
  readonly dispatchDeadlineSeconds?: number;
  /** One call to Cloud Tasks, in milliseconds; 10 s where absent. */
  readonly callTimeoutMs?: number;
  readonly clock?: Clock;
}

const CALL_TIMEOUT_MS = 10_000;
const ATTEMPTS = 4;
const BACKOFF_MS = 100;

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const FAILED_PRECONDITION = 9;
/** INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, UNAUTHENTICATED: trying again changes nothing. */
const FINAL = new Set([INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, 7, FAILED_PRECONDITION, 16]);

class CloudTasks implements TaskQueue {
  readonly #options: CloudTasksOptions;
  #client: Promise<CloudTasksClient> | undefined;

  constructor(options: CloudTasksOptions) {
    this.#options = options;
  }

  async enqueue(task: Task): Promise<'enqueued' | 'duplicate'> {
    const { queues, clock = systemClock } = this.#options;
    const queue = queues?.[task.target] ?? this.#options.queue;
    const body = encodeTask(task, clock.now());
    const request = { parent: queue, task: { name: `${queue}/tasks/${task.name}`, ...this.#request(task, body) } };
    const code = await this.#call((client) => client.createTask(request, this.#callOptions()), [ALREADY_EXISTS]);
    return code === undefined ? 'enqueued' : 'duplicate';
  }

  /** From the main queue: what has one of its own is not withdrawn by anybody. */
  async withdraw(name: string): Promise<void> {
    checkName(name);
    const request = { name: `${this.#options.queue}/tasks/${name}` };
    await this.#call((client) => client.deleteTask(request, this.#callOptions()), [NOT_FOUND, FAILED_PRECONDITION]);
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    await client?.close();
  }

  /** No retries by the library: ours cover what is safe to repeat, and nothing twice. */
  #callOptions() {
    return { timeout: this.#options.callTimeoutMs ?? CALL_TIMEOUT_MS, retry: null };
  }

  #request(task: Task, body: string) {
    const { url, serviceAccount, audience = url, dispatchDeadlineSeconds = 600 } = this.#options;
    return {
      dispatchDeadline: { seconds: dispatchDeadlineSeconds },
      ...(task.scheduleTime && { scheduleTime: toTimestamp(task.scheduleTime) }),
      httpRequest: {
        httpMethod: 'POST' as const,
        url: `${url}/tasks/${task.target}`,
        headers: { 'content-type': 'application/json' },
        body: Buffer.from(body),
        oidcToken: { serviceAccountEmail: serviceAccount, audience },
      },
    };
  }

  /** Tries again what may not have arrived: the task's name makes that safe. Answers with the code where it is one of `expected`. */
  async #call(call: (client: CloudTasksClient) => Promise<unknown>, expected: readonly number[]): Promise<number | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#client ??= connect(this.#options.emulatorHost);
        await call(await this.#client);
        return undefined;
      } catch (error) {
        const code = error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined;
        if (code !== undefined && expected.includes(code)) return code;
        if (attempt === ATTEMPTS || (code !== undefined && FINAL.has(code))) throw toTaskError(error, code);
        await delay(Math.random() * BACKOFF_MS * 2 ** attempt);
      }
    }
  }
}

function toTimestamp(time: Date): { seconds: number; nanos: number } {
  const milliseconds = time.getTime();
  return { seconds: Math.floor(milliseconds / 1_000), nanos: (((milliseconds % 1_000) + 1_000) % 1_000) * 1_000_000 };
}

function toTaskError(error: unknown, code: number | undefined): TaskError {
  const message = error instanceof Error ? error.message : String(error);
  return new TaskError(code === INVALID_ARGUMENT ? 'invalid_argument' : 'unavailable', `Cloud Tasks: ${message}`, { cause: error });
}

async function connect(emulatorHost: string | undefined): Promise<CloudTasksClient> {
  const { CloudTasksClient } = await import('@google-cloud/tasks');
  if (emulatorHost === undefined) return new CloudTasksClient({ fallback: true });
  const { GoogleAuth, PassThroughClient } = await import('google-auth-library');
  const { hostname, port } = new URL(`http://${emulatorHost}`);
  const auth = new GoogleAuth({ authClient: new PassThroughClient() });
  return new CloudTasksClient({ fallback: true, protocol: 'http', apiEndpoint: hostname, port: Number(port), auth });
}

/** Connects with the first task. */
export function openCloudTasks(options: CloudTasksOptions): TaskQueue {
  return new CloudTasks(options);
}
