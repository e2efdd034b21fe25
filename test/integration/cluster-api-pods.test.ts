/**
 * Pods of the embedded cluster: defaults, scheduling, validation, deletion.
 */
import type { V1Pod, V1Status } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE_NAME } from '../../dev/cluster/api/index.ts';
import { container, json, NS, refusal, startApiRig, until, untilGone } from '../unit/dev/cluster-api/api-rig.ts';
import type { ApiRig } from '../unit/dev/cluster-api/api-rig.ts';

let rig: ApiRig;

beforeAll(async () => {
  rig = await startApiRig();
});

afterAll(() => rig.stop());

describe('pods', () => {
  it('become ready, with the defaults that Kubernetes writes', async () => {
    const created = await rig.createPod('first', {
      containers: [container({ resources: { requests: { cpu: '0.5', memory: '1024Mi' } } })],
    });
    expect(created).toMatchObject({
      metadata: { generation: 1 },
      spec: {
        restartPolicy: 'Always',
        terminationGracePeriodSeconds: 30,
        serviceAccountName: 'default',
        dnsPolicy: 'ClusterFirst',
        enableServiceLinks: true,
      },
      status: { phase: 'Pending', qosClass: 'Burstable' },
    });
    expect(created.spec?.containers[0]).toMatchObject({
      imagePullPolicy: 'IfNotPresent',
      resources: { requests: { cpu: '500m', memory: '1Gi' } },
    });
    const ready = await until(async () => {
      const pod = await rig.core.readNamespacedPod({ name: 'first', namespace: NS });
      return pod.status?.phase === 'Running' ? pod : undefined;
    });
    expect(ready.spec?.nodeName).toBe(NODE_NAME);
    expect(ready.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.status).toBe('True');
  });

  it('are terminating for their grace period, and gone when the node says so', async () => {
    await rig.createPod('ending', { terminationGracePeriodSeconds: 7 });
    await until(async () =>
      (await rig.core.readNamespacedPod({ name: 'ending', namespace: NS })).status?.phase === 'Running' ? true : undefined,
    );
    const deleted = await rig.core.deleteNamespacedPod({ name: 'ending', namespace: NS });
    expect(deleted.metadata?.deletionGracePeriodSeconds).toBe(7);
    expect(deleted.metadata?.deletionTimestamp).toBeDefined();
    await untilGone(() => rig.core.readNamespacedPod({ name: 'ending', namespace: NS }));
  });

  it('that no node has are gone at once', async () => {
    await rig.createPod('nowhere', { nodeSelector: { disk: 'fast' } });
    await rig.core.deleteNamespacedPod({ name: 'nowhere', namespace: NS });
    expect((await refusal(rig.core.readNamespacedPod({ name: 'nowhere', namespace: NS }))).code).toBe(404);
  });

  const unschedulable: readonly (readonly [why: string, spec: Partial<V1Pod['spec'] & object>, message: string])[] = [
    ['of a selector', { nodeSelector: { disk: 'fast' } }, "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."],
    [
      'of their cpu',
      { containers: [container({ resources: { requests: { cpu: '100000' } } })] },
      '0/1 nodes are available: 1 Insufficient cpu.',
    ],
    [
      'of their memory',
      { containers: [container({ resources: { requests: { memory: '900Ti' } } })] },
      '0/1 nodes are available: 1 Insufficient memory.',
    ],
    [
      'a claim is missing',
      { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'nope' } }] },
      '0/1 nodes are available: persistentvolumeclaim "nope" not found. not found',
    ],
  ];
  it.each(unschedulable)('say that they cannot be scheduled because %s', async (_why, spec, message) => {
    const { metadata } = await rig.core.createNamespacedPod({
      namespace: NS,
      body: { metadata: { generateName: 'stuck-' }, spec: { containers: [container()], ...spec } },
    });
    const name = metadata?.name ?? '';
    const condition = await until(async () =>
      (await rig.core.readNamespacedPod({ name, namespace: NS })).status?.conditions?.find(({ type }) => type === 'PodScheduled'),
    );
    expect(condition).toMatchObject({ status: 'False', reason: 'Unschedulable' });
    expect(condition.message).toContain(message);
    const { items } = await rig.core.listNamespacedEvent({
      namespace: NS,
      fieldSelector: `involvedObject.name=${name},involvedObject.uid=${metadata?.uid}`,
    });
    expect(items.map(({ reason }) => reason)).toEqual(['FailedScheduling']);
  });

  it('are refused with every fault at once', async () => {
    const status = await refusal(
      rig.createPod('faulty', {
        containers: [
          { name: 'c', image: '' },
          { name: 'c', image: 'x', env: [{ name: 'a=b' }], volumeMounts: [{ name: 'nov', mountPath: '/x' }] },
        ],
      }),
    );
    expect(status).toMatchObject({ code: 422, reason: 'Invalid', details: { kind: 'Pod', name: 'faulty' } });
    expect(status.details?.causes?.map(({ field, reason }) => `${field} ${reason}`)).toEqual([
      'spec.containers[0].image FieldValueRequired',
      'spec.containers[1].name FieldValueDuplicate',
      'spec.containers[1].env[0].name FieldValueInvalid',
      'spec.containers[1].volumeMounts[0].name FieldValueNotFound',
    ]);
  });

  const wrong: readonly (readonly [what: string, body: object, code: number, message: string])[] = [
    [
      'a bad name',
      { metadata: { name: 'P' }, spec: { containers: [container()] } },
      422,
      'Pod "P" is invalid: metadata.name: Invalid value: "P": a lowercase RFC 1123 subdomain must consist of',
    ],
    [
      'no name',
      { metadata: {}, spec: { containers: [container()] } },
      422,
      'Pod "" is invalid: metadata.name: Required value: name or generateName is required',
    ],
    [
      'a bad label',
      { metadata: { name: 'p', labels: { a: 'b c' } }, spec: { containers: [container()] } },
      422,
      'metadata.labels: Invalid value: "b c": a valid label must be',
    ],
    ['no container', { metadata: { name: 'p' }, spec: {} }, 422, 'Pod "p" is invalid: spec.containers: Required value'],
    [
      'no quantity',
      { metadata: { name: 'p' }, spec: { containers: [container({ resources: { requests: { cpu: 'abc' } } })] } },
      400,
      'quantities must match the regular expression',
    ],
    [
      'a number for a name',
      { metadata: { name: 'p' }, spec: { containers: [container({ env: [{ name: 5 }] })] } },
      400,
      'json: cannot unmarshal number into Go struct field EnvVar.spec.containers.env.name of type string',
    ],
    [
      'another kind',
      { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'p' } },
      400,
      'Secret in version "v1" cannot be handled as a Pod',
    ],
    [
      'another namespace',
      { metadata: { name: 'p', namespace: 'other' }, spec: { containers: [container()] } },
      400,
      'the namespace of the provided object does not match the namespace sent on the request',
    ],
    [
      'more requested than allowed',
      { metadata: { name: 'p' }, spec: { containers: [container({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } })] } },
      422,
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
    ],
    [
      'a strange account',
      { metadata: { name: 'p' }, spec: { serviceAccountName: 'nosa', containers: [container()] } },
      403,
      `pods "p" is forbidden: error looking up service account ${NS}/nosa: serviceaccount "nosa" not found`,
    ],
  ];
  it.each(wrong)('with %s are refused', async (_what, body, code, message) => {
    const response = await rig.call(`/api/v1/namespaces/${NS}/pods`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });
    const status = await json<V1Status>(response);
    expect(response.status).toBe(code);
    expect(status).toMatchObject({ kind: 'Status', status: 'Failure', code });
    expect(status.message).toContain(message);
  });

  it('cannot be changed but for images', async () => {
    await rig.createPod('fixed');
    const patch = (spec: object): Promise<Response> =>
      rig.call(`/api/v1/namespaces/${NS}/pods/fixed`, {
        method: 'PATCH',
        body: JSON.stringify({ spec }),
        headers: { 'content-type': 'application/strategic-merge-patch+json' },
      });
    expect((await patch({ terminationGracePeriodSeconds: 5 })).status).toBe(422);
    const changed = await json<V1Pod>(patch({ containers: [{ name: 'c', image: 'busybox:2' }] }));
    expect(changed.spec?.containers.map(({ image }) => image)).toEqual(['busybox:2']);
  });

  it('are evicted as they are deleted, with the reason in a condition', async () => {
    await rig.createPod('evicted', { nodeSelector: { disk: 'fast' } }, { finalizers: ['berth.test/hold'] });
    await rig.core.createNamespacedPodEviction({
      name: 'evicted',
      namespace: NS,
      body: { metadata: { name: 'evicted' }, deleteOptions: { gracePeriodSeconds: 0 } },
    });
    const pod = await rig.core.readNamespacedPod({ name: 'evicted', namespace: NS });
    expect(pod.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason).toBe('EvictionByEvictionAPI');
    expect(pod.metadata?.deletionTimestamp).toBeDefined();
  });
});
