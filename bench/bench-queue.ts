/**
 * A queue of the Cloud Tasks emulator that delivers nothing: a function cannot run without a queue, and its tasks are not the matter here.
 *
 * @module
 */
import { newId } from '../shared/ids.ts';

export interface BenchQueue {
  /** Whether tasks can be enqueued; without an emulator a unit can be loaded, and that is all. */
  readonly usable: boolean;
  /** The variables that put a unit on this queue. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const LOCATION = 'projects/berth-bench/locations/europe-west1';

/** Makes a paused queue on the emulator at `host:port`. */
export async function openBenchQueue(host: string | undefined): Promise<BenchQueue> {
  const name = `${LOCATION}/queues/bench-${newId()}`;
  const env = {
    BERTH_QUEUE: 'cloud-tasks',
    BERTH_TASKS_QUEUE: name,
    BERTH_TASKS_URL: 'http://127.0.0.1:1',
    BERTH_TASKS_SERVICE_ACCOUNT: 'tasks@berth-bench.iam.gserviceaccount.com',
  };
  if (host === undefined) return { usable: false, env, close: async () => {} };
  await call(host, 'POST', `${LOCATION}/queues`, { name });
  await call(host, 'POST', `${name}:pause`, {});
  return {
    usable: true,
    env: { ...env, CLOUD_TASKS_EMULATOR_HOST: host },
    close: () => call(host, 'DELETE', name),
  };
}

async function call(host: string, method: string, path: string, body?: object): Promise<void> {
  const response = await fetch(`http://${host}/v2/${path}`, {
    method,
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`the Cloud Tasks emulator answered ${response.status} to ${method} ${path}: ${await response.text()}`);
}
