/**
 * What the contract suite needs of a cluster: tenants' namespaces as Berth makes them, pods as Berth makes them, and bounded waits.
 *
 * @module
 */
import { text } from 'node:stream/consumers';
import type { V1Namespace, V1Pod } from '@kubernetes/client-node';
import type { ClusterAccess } from '../../../shared/kubernetes/access.ts';
import { callOptions } from '../../../shared/kubernetes/call-options.ts';
import { isNotFound, statusOf, type KubernetesStatus } from '../../../shared/kubernetes/errors.ts';
import type { ExecExit, ExecOptions, Kubernetes, WatchOptions } from '../../../shared/kubernetes/port.ts';
import { newId } from '../../../shared/ids.ts';
import { buildPod, type PodInput } from '../../../shared/pods/manifest.ts';
import { buildNamespaceObjects, type NamespaceInput } from '../../../shared/pods/namespace-objects.ts';
import { containerName, namespaceName } from '../../../shared/pods/names.ts';

/** What a cluster can do; a test that needs what it cannot is skipped. The real one can do all of it. */
export interface Capabilities {
  readonly sandbox: boolean;
  readonly pidNamespace: boolean;
  readonly networkPolicy: boolean;
  readonly memoryLimit: boolean;
  readonly registry: boolean;
  /** Images without a shell, and volumes in memory. */
  readonly emptyImages: boolean;
  readonly memoryVolumes: boolean;
}

export interface Cluster {
  readonly access: ClusterAccess;
  readonly capabilities: Capabilities;
  /** A collection, and a version of it that the server does not know any more; how to bring that about is each cluster's own matter. */
  forgotten(rig: Rig): Promise<{ readonly path: string; readonly resourceVersion: string }>;
  stop(): Promise<void>;
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: ExecExit;
}

export interface RunOptions extends Partial<ExecOptions> {
  readonly input?: string | Buffer;
}

const WAIT_MS = 30_000;
/** Ends at once on TERM, with a code of its own. */
const keepAlive = ['sh', '-c', "trap 'exit 143' TERM; while :; do sleep 3600 & wait $!; done"];

export class Rig {
  readonly kubernetes: Kubernetes;
  readonly installation = `ct-${newId().slice(0, 8)}`;
  readonly #namespaces = new Set<string>();

  constructor(kubernetes: Kubernetes) {
    this.kubernetes = kubernetes;
  }

  /** A namespace with nothing in it, removed at the end. */
  async bareNamespace(metadata: V1Namespace['metadata'] = {}): Promise<string> {
    const name = namespaceName('berth', `${this.installation}-${newId().slice(0, 6)}`);
    this.#namespaces.add(name);
    await this.kubernetes.core.createNamespace({ body: { metadata: { ...metadata, name } } });
    return name;
  }

  /** A tenant's namespace with everything that Berth puts there. Network policies come only if asked for. */
  async tenant(network?: NamespaceInput['network'], entitlements: Partial<NamespaceInput['entitlements']> = {}): Promise<string> {
    const name = namespaceName('berth', `${this.installation}-${newId().slice(0, 6)}`);
    this.#namespaces.add(name);
    const objects = this.namespaceObjects(name, network, entitlements);
    const { core } = this.kubernetes;
    await core.createNamespace({ body: objects.namespace });
    await Promise.all([
      core.createNamespacedServiceAccount({ namespace: name, body: objects.serviceAccount }),
      core.createNamespacedResourceQuota({ namespace: name, body: objects.resourceQuota }),
      core.createNamespacedLimitRange({ namespace: name, body: objects.limitRange }),
      ...(network === undefined ? [] : [this.putPolicies(name, network)]),
    ]);
    return name;
  }

  namespaceObjects(
    name: string,
    network: NamespaceInput['network'] = { deniedCidrs: [] },
    entitlements: Partial<NamespaceInput['entitlements']> = {},
  ) {
    return buildNamespaceObjects({
      installation: this.installation,
      kubernetesNamespace: name,
      namespace: name,
      owner: 'contract',
      entitlements: { sessions: 20, jobs: 20, cpu: 4_001, memoryGib: 32, claims: 5, storageGib: 50, ...entitlements },
      network,
    });
  }

  async putPolicies(namespace: string, network: NamespaceInput['network']): Promise<void> {
    const { networkPolicies } = this.namespaceObjects(namespace, network);
    await Promise.all(networkPolicies.map((body) => this.kubernetes.networking.createNamespacedNetworkPolicy({ namespace, body })));
  }

  /** A session's pod as Berth makes it; but where it would wait for a helper to be uploaded, it runs the command itself. */
  podBody(namespace: string, { command = keepAlive, ...input }: Partial<PodInput> = {}): V1Pod {
    const pod = buildPod({
      installation: this.installation,
      sessionId: newId(),
      generation: 1,
      user: 'contract',
      namespace: 'contract',
      kubernetesNamespace: namespace,
      bucketName: 'contract-bucket',
      image: 'python:3.11-slim',
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { cpu: '1', memory: '256Mi' } },
      workspaceSizeGib: 1,
      envNames: [],
      activeDeadlineSeconds: 600,
      helper: { hasSecret: false },
      ...input,
    });
    // The kubelet takes `$$` for a literal `$`.
    const words = command.map((word) => word.replaceAll('$', '$$$$'));
    if (input.helper?.image === undefined) for (const container of pod.spec?.containers ?? []) container.command = words;
    return pod;
  }

  /** Creates the pod and returns its name. A new namespace refuses pods for a moment; see `isNotReadyYet`. */
  async create(namespace: string, body: V1Pod): Promise<string> {
    await eventually(async () => {
      try {
        await this.kubernetes.core.createNamespacedPod({ namespace, body });
        return true;
      } catch (error) {
        if (isNotReadyYet(error)) return false;
        throw error;
      }
    });
    return body.metadata?.name ?? '';
  }

  /** Creates a session's pod and waits until it is ready. */
  async start(namespace: string, input: Partial<PodInput> = {}): Promise<string> {
    const pod = await this.create(namespace, this.podBody(namespace, input));
    await this.waitForPod(namespace, pod, isReady);
    return pod;
  }

  /** Watches the pod until the condition holds; names its last status where it does not in time. */
  async waitForPod(namespace: string, name: string, condition: (pod: V1Pod) => boolean, withinMs = WAIT_MS): Promise<V1Pod> {
    let last: V1Pod | undefined;
    const watch: WatchOptions = {
      path: `/api/v1/namespaces/${namespace}/pods`,
      fieldSelector: `metadata.name=${name}`,
      signal: AbortSignal.timeout(withinMs),
    };
    for await (const event of this.kubernetes.watch<V1Pod>(watch)) {
      if (event.type === 'BOOKMARK' || event.type === 'RESTARTED') continue;
      last = event.object;
      if (event.type !== 'DELETED' && condition(last)) return last;
    }
    throw new Error(`The pod ${name} did not come to ${condition.toString()}: ${JSON.stringify(last?.status, undefined, 1)}`);
  }

  async waitForPodGone(namespace: string, name: string, withinMs = WAIT_MS): Promise<void> {
    const gone = async (): Promise<boolean> => isNotFound(await this.refusal(this.kubernetes.core.readNamespacedPod({ name, namespace })));
    await eventually(gone, withinMs);
  }

  async run(namespace: string, pod: string, command: string[], { input, ...options }: RunOptions = {}): Promise<RunResult> {
    const signal = AbortSignal.timeout(WAIT_MS);
    const stream = await this.kubernetes.exec({
      namespace,
      pod,
      container: containerName,
      command,
      signal,
      stdin: input !== undefined,
      ...options,
    });
    if (input !== undefined) stream.stdin.end(input);
    const [stdout, stderr, exit] = await Promise.all([text(stream.stdout), text(stream.stderr), stream.exit]);
    return { stdout, stderr, exit };
  }

  async sh(namespace: string, pod: string, script: string): Promise<RunResult> {
    return this.run(namespace, pod, ['sh', '-c', script]);
  }

  /** The error of a call that must fail. */
  async refusal(call: Promise<unknown>): Promise<unknown> {
    try {
      await call;
    } catch (error) {
      return error;
    }
    return undefined;
  }

  async refusalStatus(call: Promise<unknown>): Promise<KubernetesStatus | undefined> {
    return statusOf(await this.refusal(call));
  }

  async cleanUp(): Promise<void> {
    for (const name of this.#namespaces) {
      await this.kubernetes.core
        .deleteNamespace({ name, gracePeriodSeconds: 0 }, callOptions({ signal: AbortSignal.timeout(WAIT_MS) }))
        .catch((error: unknown) => {
          if (!isNotFound(error) && statusOf(error)?.code !== 409) throw error;
        });
    }
  }
}

export function isReady(pod: V1Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** The two refusals of a new namespace that pass by themselves. */
export function isNotReadyYet(error: unknown): boolean {
  const status = statusOf(error);
  return status?.code === 403 && /error looking up service account .* not found|status unknown for quota/.test(status.message);
}

/** Polls until the condition holds; fails after `withinMs`. */
export async function eventually(condition: () => Promise<boolean>, withinMs = WAIT_MS): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Not within ${String(withinMs)} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
