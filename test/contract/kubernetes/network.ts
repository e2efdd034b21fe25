/**
 * What a session's pod can reach: everything without the policies (or the test would prove nothing), and with them only names, the web,
 * and nothing of ours.
 *
 * @module
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { V1Pod } from '@kubernetes/client-node';
import { describe, expect, test } from 'vitest';
import { eventually, isReady, type Rig } from './rig.ts';
import type { Subject } from './suite.ts';

const METADATA = '169.254.169.254';
// Of the ranges for documentation (RFC 5737): stand-ins for the internet, and for a public address that is denied by configuration.
const INTERNET = '203.0.113.9';
const DENIED = '203.0.113.10';
const POLICY_WITHIN_MS = 5_000;

export function describeNetwork({ rig, needs }: Subject): void {
  describe('the network', () => {
    test("of a session's pod ends at its policies", async (context) => {
      needs(context, 'networkPolicy');
      const [mine, theirs, listeners] = await Promise.all([rig().tenant(), rig().tenant(), startListeners(rig())]);
      const serve = ['python3', '-m', 'http.server', '8080'];
      const [pod, neighbour, open] = await Promise.all([
        rig().start(mine),
        rig().start(theirs, { command: serve }),
        rig().start(mine, { egress: 'open' }),
      ]);
      const { hostIP = '' } = (await rig().kubernetes.core.readNamespacedPod({ namespace: mine, name: pod })).status ?? {};
      const targets: Record<string, [string, number]> = {
        "another tenant's pod": [await addressOf(rig(), theirs, neighbour), 8080],
        'the API server': await apiServerAddress(rig()),
        'the node': [hostIP, 10_250],
        'the metadata server': [METADATA, 80],
        'the metadata server of workload identity': [METADATA, 988],
        'an address denied by configuration': [DENIED, 443],
        'a port of the internet that is not the web': [INTERNET, 8081],
      };
      const allowed: Record<string, [string, number]> = {
        'the web': [INTERNET, 443],
        'the plain web': [INTERNET, 80],
        "the node's DNS": [METADATA, 53],
      };
      const all = { ...targets, ...allowed };

      await eventually(async () => (await reachable(rig(), mine, pod, all)).length === Object.keys(all).length, 20_000);

      await rig().putPolicies(mine, { deniedCidrs: [`${DENIED}/32`] });
      const policed = performance.now();
      await eventually(async () => (await reachable(rig(), mine, pod, targets)).length === 0, POLICY_WITHIN_MS);
      expect(performance.now() - policed).toBeLessThan(POLICY_WITHIN_MS + 1_000);
      expect(await reachable(rig(), mine, pod, all)).toEqual(Object.keys(allowed));
      expect(await reachable(rig(), mine, open, all)).toEqual(['a port of the internet that is not the web', ...Object.keys(allowed)]);
      await stopListeners(rig(), listeners);
    });

    test("lets nothing into a session's pod but the control plane, at the helper's port", async (context) => {
      needs(context, 'networkPolicy');
      const namespace = await rig().tenant();
      const serve =
        'import http.server as h, threading as t\nfor p in (7171, 8080): t.Thread(target=h.HTTPServer(("", p), h.SimpleHTTPRequestHandler).serve_forever).start()';
      const pod = await rig().start(namespace, { command: ['python3', '-c', serve] });
      const address = await addressOf(rig(), namespace, pod);
      const source = await eventuallyConnected(address, 8080);
      expect(await canConnect(address, 7171)).toBe(true);
      await rig().putPolicies(namespace, { deniedCidrs: [], controlPlaneCidr: `${source}/32` });
      await eventually(async () => !(await canConnect(address, 8080)), POLICY_WITHIN_MS);
      expect(await canConnect(address, 7171)).toBe(true);
    });
  });
}

/** Which of the targets a TCP connection can be made to, from the pod, side by side, within a second. */
async function reachable(rig: Rig, namespace: string, pod: string, targets: Record<string, [string, number]>): Promise<string[]> {
  const probe = [
    'import json, socket, sys',
    'from concurrent.futures import ThreadPoolExecutor',
    'def reach(item):',
    '    try: socket.create_connection(tuple(item[1]), 1).close(); return True',
    '    except OSError: return False',
    'targets = list(json.loads(sys.argv[1]).items())',
    'print(json.dumps([t[0] for t, ok in zip(targets, ThreadPoolExecutor(16).map(reach, targets)) if ok]))',
  ].join('\n');
  const { stdout, stderr } = await rig.run(namespace, pod, ['python3', '-c', probe, JSON.stringify(targets)]);
  if (stdout === '') throw new Error(`The probe failed: ${stderr}`);
  return JSON.parse(stdout) as string[];
}

async function addressOf(rig: Rig, namespace: string, name: string): Promise<string> {
  return (await rig.waitForPod(namespace, name, ({ status }) => status?.podIP !== undefined)).status?.podIP ?? '';
}

async function apiServerAddress(rig: Rig): Promise<[string, number]> {
  const service = await rig.kubernetes.core.readNamespacedService({ namespace: 'default', name: 'kubernetes' });
  return [service.spec?.clusterIP ?? '', 443];
}

/** Puts listeners on the node where production has the metadata server, the internet, and addresses that are denied. */
async function startListeners(rig: Rig): Promise<{ namespace: string; pod: string }> {
  const namespace = await rig.bareNamespace();
  const own = [`${METADATA}/32`, `${INTERNET}/32`, `${DENIED}/32`];
  const each = (verb: string): string => own.map((address) => `ip addr ${verb} ${address} dev lo`).join('; ');
  const listen = [
    `${METADATA}:80`,
    `${METADATA}:988`,
    `${METADATA}:53`,
    `${INTERNET}:80`,
    `${INTERNET}:443`,
    `${INTERNET}:8081`,
    `${DENIED}:443`,
  ];
  const script = `${each('add')}; trap '${each('del')}; exit 0' TERM; ${listen.map((address) => `httpd -f -p ${address} &`).join(' ')} wait`;
  const body: V1Pod = {
    metadata: { name: 'listeners', namespace },
    spec: {
      hostNetwork: true,
      terminationGracePeriodSeconds: 5,
      containers: [
        {
          name: 'session',
          image: 'busybox:1.36',
          imagePullPolicy: 'IfNotPresent',
          command: ['sh', '-c', script],
          securityContext: { privileged: true, runAsUser: 0 },
        },
      ],
    },
  };
  const pod = await rig.create(namespace, body);
  await rig.waitForPod(namespace, pod, isReady);
  return { namespace, pod };
}

/** With their grace period, in which they take their addresses off the node again. */
async function stopListeners(rig: Rig, { namespace, pod }: { namespace: string; pod: string }): Promise<void> {
  await rig.kubernetes.core.deleteNamespacedPod({ namespace, name: pod });
  await rig.waitForPodGone(namespace, pod);
}

async function eventuallyConnected(host: string, port: number): Promise<string> {
  let source: string | undefined;
  await eventually(async () => (source = await sourceOf(host, port)) !== undefined, 10_000);
  return source ?? '';
}

async function canConnect(host: string, port: number): Promise<boolean> {
  return (await sourceOf(host, port)) !== undefined;
}

/** The address that we are seen by, or `undefined` where no connection can be made within a second. */
async function sourceOf(host: string, port: number): Promise<string | undefined> {
  const socket = connect({ host, port });
  const timer = setTimeout(() => socket.destroy(new Error('timeout')), 1_000);
  try {
    await once(socket, 'connect');
    return socket.localAddress;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
