/**
 * A session's pod, built from its input by small pure steps; the security policy comes last, so that no input can weaken it.
 *
 * @module
 */
import type { V1Container, V1EnvVar, V1Pod, V1PodSpec, V1Secret } from '@kubernetes/client-node';
import {
  annotations,
  containerName,
  envSecretName,
  helperFolder,
  helperPort,
  helperSecretName,
  labels,
  podName,
  sessionLabels,
  workspacePath,
} from './names.ts';
import { waitForHelper } from '../helper/wait-for-helper.ts';
import type { SessionVolume } from '../storage/model.ts';
import { withVolumes } from './pod-volumes.ts';
import { enforcePolicy } from './policy.ts';

/** Quantities as Kubernetes writes them: `250m`, `512Mi`. */
export interface ComputeAmounts {
  readonly cpu: string;
  readonly memory: string;
}

export interface PodInput {
  readonly installation: string;
  readonly sessionId: string;
  /** Counts the pods of the session, from 1. */
  readonly generation: number;
  readonly user: string;
  /** As the caller named it, and as Kubernetes does. */
  readonly namespace: string;
  readonly kubernetesNamespace: string;
  readonly workspaceId?: string;
  readonly bucketName: string;
  readonly image: string;
  /** The caller's or template's own; runs under the helper. */
  readonly command?: readonly string[];
  readonly resources: { readonly requests: ComputeAmounts; readonly limits: ComputeAmounts };
  /** Of the folder that the pod has at `/workspace` unless a volume is mounted there. */
  readonly workspaceSizeGib: number;
  readonly volumes?: readonly SessionVolume[];
  /** Without a type any accelerator will do. */
  readonly gpu?: { readonly type: string | null; readonly count: number };
  /** The names of the caller's own environment; the values are in the session's Secret. */
  readonly envNames: readonly string[];
  /** The hard cap on the pod's life, should Berth never come back. */
  readonly activeDeadlineSeconds: number;
  /** Between TERM and KILL; 10 s. */
  readonly gracePeriodSeconds?: number;
  readonly helper: HelperInput;
  readonly egress?: 'web' | 'open';
  readonly runtimeClassName?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

export interface HelperInput {
  /** By an init container of this image; absent: by upload, for which the container waits in its shell. */
  readonly image?: string;
  /** The pod has a Secret for connections by TCP. */
  readonly hasSecret: boolean;
}

/** A pod while it is being built: it has a spec with one container. */
export interface PodDraft extends V1Pod {
  readonly spec: V1PodSpec;
}

/** https://cloud.google.com/kubernetes-engine/docs/how-to/gpus */
const gpuResource = 'nvidia.com/gpu';
const gpuSelector = 'cloud.google.com/gke-accelerator';
const TMP_SIZE_GIB = 1;
// For what a program writes beside its volumes, and for the kubelet's copy of its output.
const LAYER_SIZE_GIB = 1;
// The helper's own: rings, spools, unfinished results. It keeps below this, for a pod whose volume is over its limit is evicted.
const HELPER_SIZE_GIB = 5;
const GRACE_PERIOD_SECONDS = 10;
/** The pod's own for a control plane with a route to it, and loopback for port-forwards. */
const helperAddresses = `$(BERTH_POD_IP):${String(helperPort)},127.0.0.1:${String(helperPort)}`;

export function buildPod(input: PodInput): V1Pod {
  const steps: readonly ((pod: PodDraft, input: PodInput) => PodDraft)[] = [
    withIdentity,
    withResources,
    withEnvironment,
    withWorkspace,
    withTmp,
    withVolumes,
    withHelper,
    withHelperSecret,
    withLifetime,
    withPlacement,
  ];
  const draft: PodDraft = {
    apiVersion: 'v1',
    kind: 'Pod',
    spec: { containers: [{ name: containerName, image: input.image, imagePullPolicy: 'IfNotPresent' }] },
  };
  return enforcePolicy(steps.reduce((pod, step) => step(pod, input), draft));
}

/** What the helper of this generation's pod and the control plane know and nobody else: 32 bytes. */
export function buildHelperSecret(input: PodInput, secret: Uint8Array): V1Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: helperSecretName(input.sessionId, input.generation),
      namespace: input.kubernetesNamespace,
      labels: sessionLabels(input.installation, input.user, input.sessionId),
      annotations: { [annotations.user]: input.user },
    },
    type: 'Opaque',
    data: { helper: Buffer.from(secret).toString('base64') },
  };
}

/** The Secret that `withEnvironment` refers to. Its values go nowhere else: documents and answers hold the names. */
export function buildEnvSecret(input: PodInput, env: Readonly<Record<string, string>>): V1Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: envSecretName(input.sessionId),
      namespace: input.kubernetesNamespace,
      labels: sessionLabels(input.installation, input.user, input.sessionId),
      annotations: { [annotations.user]: input.user },
    },
    type: 'Opaque',
    stringData: { ...env },
  };
}

function withIdentity(pod: PodDraft, input: PodInput): PodDraft {
  return {
    ...pod,
    metadata: {
      name: podName(input.sessionId),
      namespace: input.kubernetesNamespace,
      labels: {
        ...sessionLabels(input.installation, input.user, input.sessionId),
        [labels.generation]: String(input.generation),
        ...(input.egress === 'open' && { [labels.egress]: 'open' }),
      },
      annotations: { [annotations.user]: input.user, [annotations.safeToEvict]: 'false' },
    },
  };
}

function withResources(pod: PodDraft, input: PodInput): PodDraft {
  const { resources, gpu } = input;
  // emptyDirs count towards the limit of the container's ephemeral storage, so it must exceed them, or it would be what evicts.
  const limitGib = (hasOwnWorkspace(input) ? input.workspaceSizeGib : 0) + TMP_SIZE_GIB + HELPER_SIZE_GIB + LAYER_SIZE_GIB;
  const accelerators = gpu === undefined ? {} : { [gpuResource]: String(gpu.count) };
  return withContainer(pod, {
    resources: {
      requests: { ...resources.requests, 'ephemeral-storage': '256Mi', ...accelerators },
      limits: { ...resources.limits, 'ephemeral-storage': `${String(limitGib)}Gi`, ...accelerators },
    },
  });
}

function hasOwnWorkspace({ volumes = [] }: PodInput): boolean {
  return !volumes.some(({ mount_path: path }) => path === workspacePath);
}

/** Kubernetes lets `env` win over `envFrom`: the caller cannot replace what Berth states. */
function withEnvironment(pod: PodDraft, input: PodInput): PodDraft {
  const values = {
    SESSION_ID: input.sessionId,
    WORKSPACE_ID: input.workspaceId ?? '',
    NAMESPACE: input.namespace,
    USER: input.user,
    USER_ID: input.user,
    HOME: workspacePath,
    BUCKET_NAME: input.bucketName,
    BERTH_DIR: helperFolder,
  };
  const env: V1EnvVar[] = [
    ...Object.entries(values).map(([name, value]) => ({ name, value: literal(value) })),
    { name: 'BERTH_POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
  ];
  if (input.envNames.length === 0) return withContainer(pod, { env });
  return withContainer(pod, { env, envFrom: [{ secretRef: { name: envSecretName(input.sessionId) } }] });
}

function withWorkspace(pod: PodDraft, input: PodInput): PodDraft {
  const draft = hasOwnWorkspace(input) ? withEmptyDir(pod, 'workspace', workspacePath, input.workspaceSizeGib) : pod;
  return withContainer(draft, { workingDir: workspacePath });
}

function withTmp(pod: PodDraft): PodDraft {
  return withEmptyDir(pod, 'tmp', '/tmp', TMP_SIZE_GIB);
}

/** PID 1 is the helper, as soon as it is there; the command runs under it. */
function withHelper(pod: PodDraft, { helper, command = [] }: PodInput): PodDraft {
  const words = command.map(literal);
  const withFolder = withEmptyDir(pod, 'berth', helperFolder, HELPER_SIZE_GIB);
  if (helper.image === undefined) return withContainer(withFolder, { command: [...waitForHelper(words)] });
  const program = `${helperFolder}/bin/helper`;
  const [session] = withFolder.spec.containers;
  const install: V1Container = {
    name: 'helper',
    image: helper.image,
    imagePullPolicy: 'IfNotPresent',
    command: ['/helper', 'install', helperFolder],
    volumeMounts: [{ name: 'helper', mountPath: helperFolder }],
    ...(session?.resources !== undefined && { resources: session.resources }),
  };
  const draft = withContainer(withFolder, {
    command: [program, 'serve', '--listen', helperAddresses, '--', ...words],
    // Read-only: what an init container brought cannot be replaced from inside.
    volumeMounts: [...(session?.volumeMounts ?? []), { name: 'helper', mountPath: `${helperFolder}/bin`, subPath: 'bin', readOnly: true }],
  });
  const volumes = [...(draft.spec.volumes ?? []), { name: 'helper', emptyDir: { sizeLimit: '64Mi' } }];
  return { ...draft, spec: { ...draft.spec, volumes, initContainers: [install] } };
}

/** As files, never as variables: those are inherited, printed and dumped. */
function withHelperSecret(pod: PodDraft, { helper, sessionId, generation }: PodInput): PodDraft {
  if (!helper.hasSecret) return pod;
  const volumes = [
    ...(pod.spec.volumes ?? []),
    { name: 'helper-secret', secret: { secretName: helperSecretName(sessionId, generation), defaultMode: 0o400 } },
  ];
  const [session] = pod.spec.containers;
  const volumeMounts = [...(session?.volumeMounts ?? []), { name: 'helper-secret', mountPath: `${helperFolder}/secret`, readOnly: true }];
  return withContainer({ ...pod, spec: { ...pod.spec, volumes } }, { volumeMounts });
}

function withLifetime(pod: PodDraft, { activeDeadlineSeconds, gracePeriodSeconds = GRACE_PERIOD_SECONDS }: PodInput): PodDraft {
  return {
    ...pod,
    spec: { ...pod.spec, restartPolicy: 'Always', terminationGracePeriodSeconds: gracePeriodSeconds, activeDeadlineSeconds },
  };
}

/** A pod on a node that is lost waits one minute for it, not the five that Kubernetes adds by default. */
function withPlacement(pod: PodDraft, { runtimeClassName, nodeSelector: asked = {}, gpu }: PodInput): PodDraft {
  const nodeSelector = { ...asked, ...(gpu !== undefined && gpu.type !== null && { [gpuSelector]: gpu.type }) };
  const tolerations = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].map((key) => ({
    key,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 60,
  }));
  return {
    ...pod,
    spec: {
      ...pod.spec,
      tolerations,
      ...(runtimeClassName !== undefined && { runtimeClassName }),
      ...(Object.keys(nodeSelector).length > 0 && { nodeSelector }),
    },
  };
}

function withContainer(pod: PodDraft, part: Partial<V1Container>): PodDraft {
  return { ...pod, spec: { ...pod.spec, containers: pod.spec.containers.map((container) => ({ ...container, ...part })) } };
}

function withEmptyDir(pod: PodDraft, name: string, mountPath: string, sizeGib: number): PodDraft {
  const spec: V1PodSpec = {
    ...pod.spec,
    volumes: [...(pod.spec.volumes ?? []), { name, emptyDir: { sizeLimit: `${String(sizeGib)}Gi` } }],
    containers: pod.spec.containers.map((container) => ({
      ...container,
      volumeMounts: [...(container.volumeMounts ?? []), { name, mountPath }],
    })),
  };
  return { ...pod, spec };
}

// The kubelet expands `$(NAME)` in commands and values, and takes `$$` for a literal `$`. Callers mean what they write.
function literal(text: string): string {
  return text.replaceAll('$', '$$$$');
}
