/**
 * Pods as Berth makes them, with their helper and its secret, and ways into them.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { V1Pod } from '@kubernetes/client-node';
import { systemClock } from '../../../shared/clock.ts';
import { createHelperBinaries } from '../../../shared/helper/binaries.ts';
import { createHelperClient, type HelperClient } from '../../../shared/helper/client.ts';
import { createHelperPool } from '../../../shared/helper/pool.ts';
import type { ChannelKind } from '../../../shared/helper/model.ts';
import type { HelperPool, PodTarget, Transport } from '../../../shared/helper/port.ts';
import { createDirectTransport } from '../../../shared/helper/transport-direct.ts';
import { createExecTransport } from '../../../shared/helper/transport-exec.ts';
import { createPortForwardTransport } from '../../../shared/helper/transport-port-forward.ts';
import { newId } from '../../../shared/ids.ts';
import type { Kubernetes } from '../../../shared/kubernetes/port.ts';
import { createLogger } from '../../../shared/observability/create-logger.ts';
import { createMetrics } from '../../../shared/observability/create-metrics.ts';
import { buildHelperSecret, buildPod, type PodInput } from '../../../shared/pods/manifest.ts';
import { containerName } from '../../../shared/pods/names.ts';
import { tap, type TappedTransport } from '../../fakes/helper-tap.ts';
import { isReady, type Rig } from '../kubernetes/rig.ts';

export const channelKinds: readonly ChannelKind[] = ['direct', 'exec', 'port-forward'];

/** An image, and what of the contract it can show: without a shell there is nothing to run in it but the helper itself. */
export interface HelperImage {
  readonly title: string;
  readonly image: string;
  readonly shell: boolean;
  /** What listens on a port, where the image has something that does. */
  readonly listener?: 'python3' | 'nc';
  /** The helper comes by an init container of this image; absent: by upload. */
  readonly helperImage?: string;
}

export interface WayOptions {
  readonly channel: ChannelKind;
  /** Part of the pod's target that is to be another one. */
  readonly target?: Partial<PodTarget>;
  /** Milliseconds. */
  readonly idleMs?: number;
}

/** A pool of its own that leads to one pod by one kind of channel. */
export interface Way extends AsyncDisposable {
  readonly client: HelperClient;
  readonly pool: HelperPool;
  readonly target: PodTarget;
  readonly tap: TappedTransport;
}

export function openWay(kubernetes: Kubernetes, target: PodTarget, options: WayOptions): Way {
  const there = { ...target, ...options.target };
  const transport = tap(transportOf(kubernetes, options.channel));
  const pool = createHelperPool({
    transports: [transport],
    mode: options.channel,
    clock: systemClock,
    log: createLogger({ level: 'silent', format: 'text' }),
    metrics: createMetrics(),
    ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
  });
  const client = createHelperClient((signal) => pool.channel(there, signal));
  return { client, pool, target: there, tap: transport, [Symbol.asyncDispose]: () => pool.close() };
}

export function transportOf(kubernetes: Kubernetes, channel: ChannelKind): Transport {
  const connected = (): Promise<Kubernetes> => Promise.resolve(kubernetes);
  if (channel === 'direct') return createDirectTransport({ kubernetes: connected });
  if (channel === 'port-forward') return createPortForwardTransport({ kubernetes: connected });
  return createExecTransport({ kubernetes: connected, binaries: createHelperBinaries() });
}

/** Creates a session's pod with its helper's secret, waits until it is ready, and brings the helper there. */
export async function startPod(rig: Rig, namespace: string, image: HelperImage, part: Partial<PodInput> = {}): Promise<PodTarget> {
  const input = podInput(rig, namespace, image, part);
  const secret = new Uint8Array(randomBytes(32));
  await rig.kubernetes.core.createNamespacedSecret({ namespace, body: buildHelperSecret(input, secret) });
  const name = await rig.create(namespace, buildPod(input));
  const pod = await rig.waitForPod(namespace, name, isReady);
  const target = targetOf(pod, input, secret);
  await deliver(rig.kubernetes, target);
  return target;
}

/** As the first channel of a session that is reached by TCP does it; a helper from an init container is there already. */
async function deliver(kubernetes: Kubernetes, target: PodTarget): Promise<void> {
  await using way = openWay(kubernetes, target, { channel: 'exec' });
  await way.pool.channel(target, AbortSignal.timeout(20_000));
}

function targetOf(pod: V1Pod, { sessionId, generation, kubernetesNamespace, helper }: PodInput, secret: Uint8Array): PodTarget {
  return {
    sessionId,
    generation,
    podUid: pod.metadata?.uid ?? '',
    namespace: kubernetesNamespace,
    pod: pod.metadata?.name ?? '',
    container: containerName,
    delivery: helper.image === undefined ? 'upload' : 'init',
    secret,
  };
}

function podInput(rig: Rig, namespace: string, { image, helperImage }: HelperImage, part: Partial<PodInput>): PodInput {
  return {
    installation: rig.installation,
    sessionId: newId(),
    generation: 1,
    user: 'contract',
    namespace: 'contract',
    kubernetesNamespace: namespace,
    bucketName: 'contract-bucket',
    image,
    resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { cpu: '2', memory: '512Mi' } },
    workspaceSizeGib: 1,
    envNames: [],
    activeDeadlineSeconds: 600,
    helper: { hasSecret: true, ...(helperImage === undefined ? {} : { image: helperImage }) },
    ...part,
  };
}
