import { describe, expect, test } from 'vitest';
import { buildNamespaceObjects, type NamespaceInput } from '../../../shared/pods/namespace-objects.ts';

const input: NamespaceInput = {
  installation: 'main',
  kubernetesNamespace: 'berth-research',
  namespace: 'research',
  owner: 'Alice',
  entitlements: { sessions: 5, jobs: 5, cpu: 4, memoryGib: 8, claims: 1, storageGib: 50 },
  network: { deniedCidrs: ['203.0.113.7/32'], controlPlaneCidr: '10.8.0.0/28' },
};
const labels = { 'app.kubernetes.io/managed-by': 'berth', 'berth.dev/installation': 'main', 'berth.dev/user': 'alice--3bc51062973c' };
const metadata = (name: string) => ({ name, namespace: 'berth-research', labels, annotations: { 'berth.dev/user': 'Alice' } });
const internet = {
  ipBlock: {
    cidr: '0.0.0.0/0',
    except: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8', '203.0.113.7/32'],
  },
};

describe("a tenant's namespace", () => {
  const objects = buildNamespaceObjects(input);

  test('refuses pods that are not restricted, and says so', () => {
    expect(objects.namespace).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'berth-research',
        labels: {
          ...labels,
          'pod-security.kubernetes.io/enforce': 'restricted',
          'pod-security.kubernetes.io/audit': 'restricted',
          'pod-security.kubernetes.io/warn': 'restricted',
        },
        annotations: { 'berth.dev/user': 'Alice', 'berth.dev/namespace': 'research' },
      },
    });
  });

  test('has a service account of its own, without a token', () => {
    expect(objects.serviceAccount).toEqual({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: metadata('berth-session'),
      automountServiceAccountToken: false,
    });
  });

  test("has a quota of twice the owner's limits", () => {
    expect(objects.resourceQuota).toEqual({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: metadata('berth'),
      spec: {
        hard: { pods: '20', 'requests.cpu': '8', 'requests.memory': '16Gi', persistentvolumeclaims: '2', 'requests.storage': '100Gi' },
      },
    });
  });

  test('gives a container that states nothing what the quota demands', () => {
    expect(objects.limitRange).toEqual({
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: metadata('berth'),
      spec: {
        limits: [
          {
            type: 'Container',
            defaultRequest: { cpu: '250m', memory: '512Mi', 'ephemeral-storage': '256Mi' },
            _default: { cpu: '500m', memory: '1Gi', 'ephemeral-storage': '2Gi' },
          },
        ],
      },
    });
  });

  test('denies everything but names, the web, and the control plane at the helper', () => {
    const policy = (name: string, spec: object) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: metadata(name),
      spec,
    });
    expect(objects.networkPolicies).toEqual([
      policy('berth-deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
      policy('berth-dns', {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [
          {
            to: [
              {
                namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
                podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
              },
              { ipBlock: { cidr: '169.254.20.10/32' } },
              { ipBlock: { cidr: '169.254.169.254/32' } },
            ],
            ports: [
              { port: 53, protocol: 'UDP' },
              { port: 53, protocol: 'TCP' },
            ],
          },
        ],
      }),
      policy('berth-web', {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [
          {
            to: [internet],
            ports: [
              { port: 443, protocol: 'TCP' },
              { port: 80, protocol: 'TCP' },
            ],
          },
        ],
      }),
      policy('berth-open', {
        podSelector: { matchLabels: { 'berth.dev/egress': 'open' } },
        policyTypes: ['Egress'],
        egress: [{ to: [internet] }],
      }),
      policy('berth-bucket', {
        podSelector: { matchLabels: { 'berth.dev/bucket': 'true' } },
        policyTypes: ['Egress'],
        egress: [
          { to: [{ ipBlock: { cidr: '169.254.169.254/32' } }], ports: [{ port: 80, protocol: 'TCP' }] },
          { to: [{ ipBlock: { cidr: '169.254.169.252/32' } }], ports: [{ port: 988, protocol: 'TCP' }] },
        ],
      }),
      policy('berth-helper', {
        podSelector: {},
        policyTypes: ['Ingress'],
        ingress: [{ _from: [{ ipBlock: { cidr: '10.8.0.0/28' } }], ports: [{ port: 7171, protocol: 'TCP' }] }],
      }),
    ]);
  });

  test('lets nothing in where the control plane has no address range', () => {
    const { networkPolicies } = buildNamespaceObjects({ ...input, network: { deniedCidrs: [] } });
    expect(networkPolicies.filter(({ spec }) => spec?.ingress !== undefined)).toEqual([]);
  });
});
