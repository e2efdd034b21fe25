import { describe, expect, test } from 'vitest';
import { waitForHelper } from '../../../shared/helper/wait-for-helper.ts';
import { buildEnvSecret, buildHelperSecret, buildPod, type PodDraft, type PodInput } from '../../../shared/pods/manifest.ts';
import { enforcePolicy } from '../../../shared/pods/policy.ts';

const input: PodInput = {
  installation: 'main',
  sessionId: '0123456789abcdefghjkmnpqrs',
  generation: 1,
  user: 'alice@example.com',
  namespace: 'research',
  kubernetesNamespace: 'berth-research',
  bucketName: 'berth-research-main',
  image: 'python:3.11-slim',
  resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { cpu: '500m', memory: '1Gi' } },
  workspaceSizeGib: 10,
  envNames: [],
  activeDeadlineSeconds: 86_400,
  helper: { hasSecret: false },
};

const container = (pod: ReturnType<typeof buildPod>) => {
  const first = pod.spec?.containers[0];
  if (first === undefined) throw new Error('no container');
  return first;
};

describe('the pod of a session', () => {
  test('is, with nothing asked for, exactly this', () => {
    expect(buildPod(input)).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'berth-0123456789abcdefghjkmnpqrs',
        namespace: 'berth-research',
        labels: {
          'app.kubernetes.io/managed-by': 'berth',
          'berth.dev/installation': 'main',
          'berth.dev/user': 'alice-example-com--ff8d9819fc0e',
          'berth.dev/session': '0123456789abcdefghjkmnpqrs',
          'berth.dev/generation': '1',
        },
        annotations: {
          'berth.dev/user': 'alice@example.com',
          'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
        },
      },
      spec: {
        serviceAccountName: 'berth-session',
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        hostNetwork: false,
        hostPID: false,
        hostIPC: false,
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 10,
        activeDeadlineSeconds: 86_400,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: 1000,
          runAsGroup: 1000,
          fsGroup: 1000,
          fsGroupChangePolicy: 'OnRootMismatch',
          seccompProfile: { type: 'RuntimeDefault' },
        },
        tolerations: [
          { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 },
          { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 60 },
        ],
        volumes: [
          { name: 'workspace', emptyDir: { sizeLimit: '10Gi' } },
          { name: 'tmp', emptyDir: { sizeLimit: '1Gi' } },
          { name: 'berth', emptyDir: { sizeLimit: '5Gi' } },
        ],
        containers: [
          {
            name: 'session',
            image: 'python:3.11-slim',
            imagePullPolicy: 'IfNotPresent',
            command: waitForHelper([]),
            workingDir: '/workspace',
            env: [
              { name: 'SESSION_ID', value: '0123456789abcdefghjkmnpqrs' },
              { name: 'WORKSPACE_ID', value: '' },
              { name: 'NAMESPACE', value: 'research' },
              { name: 'USER', value: 'alice@example.com' },
              { name: 'USER_ID', value: 'alice@example.com' },
              { name: 'HOME', value: '/workspace' },
              { name: 'BUCKET_NAME', value: 'berth-research-main' },
              { name: 'BERTH_DIR', value: '/berth' },
              { name: 'BERTH_POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            ],
            resources: {
              requests: { cpu: '250m', memory: '512Mi', 'ephemeral-storage': '256Mi' },
              limits: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '17Gi' },
            },
            volumeMounts: [
              { name: 'workspace', mountPath: '/workspace' },
              { name: 'tmp', mountPath: '/tmp' },
              { name: 'berth', mountPath: '/berth' },
            ],
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          },
        ],
      },
    });
  });

  test('runs the command asked for under the helper', () => {
    expect(container(buildPod({ ...input, command: ['python', 'serve.py'] })).command?.slice(-2)).toEqual(['python', 'serve.py']);
  });

  test('runs a command with dollar signs as written: the kubelet takes `$$` for one', () => {
    expect(container(buildPod({ ...input, command: ['sh', '-c', 'echo $(HOME) $$'] })).command?.slice(-3)).toEqual([
      'sh',
      '-c',
      'echo $$(HOME) $$$$',
    ]);
  });

  test('states its values as given, also where they look like a reference', () => {
    const env = container(buildPod({ ...input, user: '$(SECRET)', workspaceId: 'w$' })).env;
    expect(env).toContainEqual({ name: 'USER', value: '$$(SECRET)' });
    expect(env).toContainEqual({ name: 'WORKSPACE_ID', value: 'w$$' });
  });

  test("takes the caller's environment from the session's Secret, and only where there is one", () => {
    expect(container(buildPod({ ...input, envNames: ['TOKEN'] })).envFrom).toEqual([
      { secretRef: { name: 'berth-0123456789abcdefghjkmnpqrs' } },
    ]);
    expect(container(buildPod(input))).not.toHaveProperty('envFrom');
  });

  test('never holds a value of the environment', () => {
    expect(JSON.stringify(buildPod({ ...input, envNames: ['TOKEN'] }))).not.toContain('TOKEN');
  });

  test('allows more ephemeral storage than its volumes may hold', () => {
    expect(container(buildPod({ ...input, workspaceSizeGib: 50 })).resources?.limits).toMatchObject({ 'ephemeral-storage': '57Gi' });
  });

  test('gets the helper by an init container where the image has no shell: read-only, and started without one', () => {
    const pod = buildPod({ ...input, helper: { image: 'registry/helper:1', hasSecret: false }, command: ['/app'] });
    expect(pod.spec?.initContainers).toEqual([
      {
        name: 'helper',
        image: 'registry/helper:1',
        imagePullPolicy: 'IfNotPresent',
        command: ['/helper', 'install', '/berth'],
        volumeMounts: [{ name: 'helper', mountPath: '/berth' }],
        resources: container(pod).resources,
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ]);
    expect(pod.spec?.volumes).toContainEqual({ name: 'helper', emptyDir: { sizeLimit: '64Mi' } });
    expect(container(pod)).toMatchObject({
      command: ['/berth/bin/helper', 'serve', '--listen', '$(BERTH_POD_IP):7171,127.0.0.1:7171', '--', '/app'],
    });
    expect(container(pod).volumeMounts).toContainEqual({ name: 'helper', mountPath: '/berth/bin', subPath: 'bin', readOnly: true });
  });

  test("gives the helper's secret as a file of its own generation, never as a variable", () => {
    const pod = buildPod({ ...input, generation: 3, helper: { hasSecret: true } });
    const secretName = 'berth-0123456789abcdefghjkmnpqrs-helper-3';
    expect(pod.spec?.volumes).toContainEqual({ name: 'helper-secret', secret: { secretName, defaultMode: 0o400 } });
    expect(container(pod).volumeMounts).toContainEqual({ name: 'helper-secret', mountPath: '/berth/secret', readOnly: true });
    expect(JSON.stringify(container(pod).env)).not.toContain('secret');
    expect(buildHelperSecret({ ...input, generation: 3 }, Buffer.alloc(32, 1))).toMatchObject({
      metadata: { name: secretName, namespace: 'berth-research', labels: { 'berth.dev/session': input.sessionId } },
      data: { helper: Buffer.alloc(32, 1).toString('base64') },
    });
  });

  test('is marked where its template opens the internet', () => {
    expect(buildPod({ ...input, egress: 'open' }).metadata?.labels).toMatchObject({ 'berth.dev/egress': 'open' });
  });

  test('goes where it is told to', () => {
    expect(buildPod({ ...input, runtimeClassName: 'gvisor', nodeSelector: { pool: 'sessions' } }).spec).toMatchObject({
      runtimeClassName: 'gvisor',
      nodeSelector: { pool: 'sessions' },
    });
  });

  test('does not change its input', () => {
    const frozen: PodInput = Object.freeze({ ...input, envNames: Object.freeze(['A']), command: Object.freeze(['true']) });
    expect(buildPod(frozen)).toEqual(buildPod(frozen));
  });
});

describe('the policy', () => {
  test('overrides whatever a step before it has set', () => {
    const weak: PodDraft = {
      spec: {
        serviceAccountName: 'default',
        automountServiceAccountToken: true,
        hostNetwork: true,
        hostPID: true,
        hostIPC: true,
        securityContext: { runAsUser: 0, runAsNonRoot: false, sysctls: [{ name: 'a', value: 'b' }] },
        containers: [{ name: 'a', securityContext: { privileged: true, capabilities: { add: ['SYS_ADMIN'] } } }],
        initContainers: [{ name: 'b', securityContext: { runAsUser: 0 } }],
      },
    };
    const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
    expect(enforcePolicy(weak).spec).toEqual({
      serviceAccountName: 'berth-session',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      hostNetwork: false,
      hostPID: false,
      hostIPC: false,
      securityContext: {
        runAsNonRoot: true,
        runAsUser: 1000,
        runAsGroup: 1000,
        fsGroup: 1000,
        fsGroupChangePolicy: 'OnRootMismatch',
        seccompProfile: { type: 'RuntimeDefault' },
      },
      containers: [{ name: 'a', securityContext: restricted }],
      initContainers: [{ name: 'b', securityContext: restricted }],
    });
  });
});

test('the Secret of a session holds the values and says whose they are', () => {
  expect(buildEnvSecret(input, { TOKEN: 's3cret' })).toEqual({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: 'berth-0123456789abcdefghjkmnpqrs',
      namespace: 'berth-research',
      labels: {
        'app.kubernetes.io/managed-by': 'berth',
        'berth.dev/installation': 'main',
        'berth.dev/user': 'alice-example-com--ff8d9819fc0e',
        'berth.dev/session': '0123456789abcdefghjkmnpqrs',
      },
      annotations: { 'berth.dev/user': 'alice@example.com' },
    },
    type: 'Opaque',
    stringData: { TOKEN: 's3cret' },
  });
});
