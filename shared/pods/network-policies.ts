/**
 * What a session's pod may talk to. Everything is denied both ways; then names can be looked up, and the internet reached on the
 * ports of the web. Pure.
 *
 * @module
 */
import type { V1NetworkPolicySpec } from '@kubernetes/client-node';
import { helperPort, labels } from './names.ts';

export interface NetworkInput {
  /** Further ranges that no pod may reach: the nodes' and the API server's addresses where they are public. IPv4, `203.0.113.7/32`. */
  readonly deniedCidrs: readonly string[];
  /** From where the control plane calls the helper; without it nothing at all comes in. */
  readonly controlPlaneCidr?: string;
}

export interface NamedPolicy {
  readonly name: string;
  readonly spec: V1NetworkPolicySpec;
}

/** Private use (RFC 1918), shared address space (RFC 6598, which GKE uses for pods, too), link-local with the metadata server, loopback. */
export const privateCidrs = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '127.0.0.0/8'];

// NodeLocal DNSCache and Cloud DNS answer on the node's link-local addresses, which no selector of pods ever matches.
const linkLocalDnsCidrs = ['169.254.20.10/32', '169.254.169.254/32'];

export function networkPolicies({ deniedCidrs, controlPlaneCidr }: NetworkInput): NamedPolicy[] {
  const internet = { ipBlock: { cidr: '0.0.0.0/0', except: [...new Set([...privateCidrs, ...deniedCidrs])] } };
  const policies: NamedPolicy[] = [
    { name: 'berth-deny', spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] } },
    { name: 'berth-dns', spec: dns },
    {
      name: 'berth-web',
      spec: {
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
      },
    },
    {
      name: 'berth-open',
      spec: { podSelector: { matchLabels: { [labels.egress]: 'open' } }, policyTypes: ['Egress'], egress: [{ to: [internet] }] },
    },
  ];
  policies.push({ name: 'berth-bucket', spec: metadataServer });
  if (controlPlaneCidr === undefined) return policies;
  const ingress = [{ _from: [{ ipBlock: { cidr: controlPlaneCidr } }], ports: [{ port: helperPort, protocol: 'TCP' }] }];
  return [...policies, { name: 'berth-helper', spec: { podSelector: {}, policyTypes: ['Ingress'], ingress } }];
}

/**
 * Where the bucket driver's sidecar gets the service account's tokens, with and without Dataplane V2
 * (https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy#network-policy-and-workload-identity).
 */
const metadataServer: V1NetworkPolicySpec = {
  podSelector: { matchLabels: { [labels.bucket]: 'true' } },
  policyTypes: ['Egress'],
  egress: [
    { to: [{ ipBlock: { cidr: '169.254.169.254/32' } }], ports: [{ port: 80, protocol: 'TCP' }] },
    { to: [{ ipBlock: { cidr: '169.254.169.252/32' } }], ports: [{ port: 988, protocol: 'TCP' }] },
  ],
};

const dns: V1NetworkPolicySpec = {
  podSelector: {},
  policyTypes: ['Egress'],
  egress: [
    {
      to: [
        {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
          podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
        },
        ...linkLocalDnsCidrs.map((cidr) => ({ ipBlock: { cidr } })),
      ],
      ports: [
        { port: 53, protocol: 'UDP' },
        { port: 53, protocol: 'TCP' },
      ],
    },
  ],
};
