/**
 * Ten thousand commands, one after the other over one channel, leave nothing behind: no process, descriptor, file or goroutine in the
 * pod, and no memory here.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HelperClient } from '../../shared/helper/client.ts';
import type { PodTarget } from '../../shared/helper/port.ts';
import { connectKubernetes } from '../../shared/kubernetes/client.ts';
import { channelKinds, openWay, startPod } from '../contract/helper/pods.ts';
import { run, say, soon } from '../contract/helper/run.ts';
import { Rig } from '../contract/kubernetes/rig.ts';
import { startEmbeddedCluster } from '../fakes/embedded-cluster.ts';

const COMMANDS = 10_000;
const MIB = 1024 * 1024;
/** Longer than the helper keeps a result. */
const FORGOTTEN_MS = 70_000;
const HEAP_GROWTH_BYTES = 16 * MIB;
const HELPER_GROWTH_BYTES = 8 * MIB;

const real = process.env['BERTH_TEST_KUBECONFIG'];
const clusters = [
  { title: 'the embedded cluster', connect: startEmbeddedCluster },
  ...(real === undefined
    ? []
    : [{ title: 'a real Kubernetes', connect: () => Promise.resolve({ kubeconfigFile: real, stop: () => Promise.resolve() }) }]),
];

describe.each(clusters)('ten thousand commands on $title', ({ connect }) => {
  let cluster: { readonly kubeconfigFile: string; stop(): Promise<void> };
  let rig: Rig;
  let target: PodTarget;

  beforeAll(async () => {
    cluster = await connect();
    rig = new Rig(await connectKubernetes({ type: 'kubeconfig', file: cluster.kubeconfigFile }));
    const image = { title: 'Debian', image: 'python:3.11-slim', shell: true };
    target = await startPod(rig, await rig.tenant(), image, { activeDeadlineSeconds: 3_600 });
  });
  afterAll(async () => {
    await rig.cleanUp();
    await rig.kubernetes.close();
    await cluster.stop();
  });

  test.each(channelKinds)('by %s leave nothing behind', async (channel) => {
    await using way = openWay(rig.kubernetes, target, { channel });
    const many = async (count: number): Promise<void> => {
      for (let ran = 0; ran < count; ran += 1) {
        const { end, stdout } = await run(way.client, ['echo', 'x'], { stdin: Buffer.from('in') });
        if (end.exit_code !== 0 || stdout.toString() !== 'x\n') throw new Error(`command ${String(ran)}: ${JSON.stringify(end)}`);
      }
    };
    // What is made once is there before the count begins.
    await many(200);
    await sleep(FORGOTTEN_MS);
    const before = await inventory(way.client);
    const heapBefore = usedHeap();
    const startedAt = performance.now();
    await many(COMMANDS);
    console.log(`${channel}: ${((performance.now() - startedAt) / COMMANDS).toFixed(2)} ms each`);
    const heapAfter = usedHeap();
    await sleep(FORGOTTEN_MS);
    const after = await inventory(way.client);
    console.log(channel, JSON.stringify({ before, after, heap_growth: heapAfter - heapBefore }));
    expect(way.tap.opened()).toBe(1);
    expect({ ...after, memory: 0 }).toEqual({ ...before, memory: 0 });
    expect(after.memory - before.memory).toBeLessThan(HELPER_GROWTH_BYTES);
    expect(heapAfter - heapBefore).toBeLessThan(HEAP_GROWTH_BYTES);
  });
});

interface Inventory {
  readonly processes: number;
  readonly descriptors: number;
  readonly goroutines: number;
  readonly files: number;
  readonly executions: number;
  readonly memory: number;
}

/** Told by the helper, and counted by a command of the pod's. */
async function inventory(client: HelperClient): Promise<Inventory> {
  const files = await say(
    client,
    'find /berth /tmp /workspace -xdev 2>/dev/null | wc -l; ls -d /proc/[0-9]* | wc -l; ls /proc/1/fd | wc -l',
  );
  const { processes, executions, helper } = await client.stats(soon());
  const [count = 0, seen = 0, open = 0] = files.trim().split('\n').map(Number);
  return {
    processes: processes + seen,
    descriptors: helper.descriptors + open,
    goroutines: helper.goroutines,
    files: count,
    executions,
    memory: helper.memory_bytes,
  };
}

/** After a collection: what is garbage does not count. */
function usedHeap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}
