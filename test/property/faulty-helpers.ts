/**
 * The helpers in the pods of a cluster in memory: reached while their pod runs, busy or idle as the test says, and able to run a command.
 */
import { Readable } from 'node:stream';
import type { V1Pod } from '@kubernetes/client-node';
import { AppError } from '../../shared/errors/app-error.ts';
import type { HelperPool, HelperRequest, HelperResponse, PodChannel, PodTarget } from '../../shared/helper/port.ts';
import type { FakeClock } from '../fakes/fake-clock.ts';
import type { Network } from '../fakes/fake-clock-network.ts';
import type { ClusterObjects } from '../fakes/fake-cluster-kubernetes-objects.ts';

export interface FaultyHelpersOptions {
  readonly clock: FakeClock;
  readonly network: Network;
  readonly objects: ClusterObjects;
  /** Whether something computes in the pod of that uid. */
  readonly isBusy: (podUid: string) => boolean;
  readonly isAway: () => boolean;
  /** A command was run in the session's pod. */
  readonly onCommand: (target: PodTarget) => void;
}

const START_MS = Date.parse('2026-01-01T00:00:00Z');

export function createFaultyHelpers(options: FaultyHelpersOptions): HelperPool {
  const { network, objects } = options;
  const reach = (target: PodTarget): void => {
    const pod: V1Pod | undefined = objects.find('Pod', target.namespace, target.pod);
    const isReady = pod?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
    if (options.isAway()) throw new AppError('cluster_unavailable', 'The Kubernetes API is away (injected).');
    if (pod?.metadata?.uid === target.podUid && isReady && pod.status?.phase === 'Running') return;
    throw new AppError('helper_unreachable', 'Nothing answers in the pod.');
  };
  const openChannel = (target: PodTarget): PodChannel => ({
    kind: 'exec',
    bootId: target.podUid,
    closed: false,
    request: (request) =>
      network.call(() => {
        reach(target);
        if (request.path.startsWith('/executions/')) options.onCommand(target);
        return answer(request, options, target);
      }),
    ping: () => network.call(() => reach(target)),
    close: () => undefined,
  });
  return {
    channel: (target) =>
      network.call(() => {
        reach(target);
        return openChannel(target);
      }),
    deliver: (target) => network.call(() => reach(target)),
    forget: () => undefined,
    size: 0,
    close: () => Promise.resolve(),
  };
}

function answer(request: HelperRequest, { clock, isBusy }: FaultyHelpersOptions, { podUid }: PodTarget): HelperResponse {
  const body = request.path.startsWith('/executions/') ? commandThatEnds : Buffer.from(JSON.stringify(stats()));
  return { status: 200, headers: {}, body: Readable.from([body], { objectMode: false }) };

  function stats(): object {
    return {
      // What computes uses all of a core.
      cpu_ms: isBusy(podUid) ? clock.ms - START_MS : 0,
      memory_bytes: 1,
      memory_limit_bytes: null,
      processes: 1,
      oom_kills: null,
      helper: { memory_bytes: 1, goroutines: 1, descriptors: 1 },
      executions: 0,
      terminals: 0,
      jobs: 0,
      connections: 0,
      last_activity_at: new Date(START_MS).toISOString(),
      disk_bytes: 0,
    };
  }
}

/** Two event records (helper/PROTOCOL.md): `started`, and an `end` with exit code 0. */
const commandThatEnds = Buffer.concat(
  [
    { event: 'started', pid: 2 },
    { event: 'end', end: 'exited', exit_code: 0, signal: null, duration_ms: 1, stdout_bytes: 0, stderr_bytes: 0, message: null },
  ].map((event) => {
    const payload = Buffer.from(JSON.stringify(event));
    const header = Buffer.alloc(5);
    header.writeUInt8(3, 0);
    header.writeUInt32BE(payload.length, 1);
    return Buffer.concat([header, payload]);
  }),
);
