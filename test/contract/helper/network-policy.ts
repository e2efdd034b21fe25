/**
 * The way by TCP is open only where the configuration names the control plane's own addresses.
 *
 * @module
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { PodTarget } from '../../../shared/helper/port.ts';
import { statusOf } from '../../../shared/kubernetes/errors.ts';
import { helperPort } from '../../../shared/pods/names.ts';
import { eventually, type Rig } from '../kubernetes/rig.ts';
import { openWay } from './pods.ts';
import { soon } from './run.ts';
import type { HelperCluster } from './subject.ts';

const POLICY_WITHIN_MS = 10_000;

/** After all tests that need an open network: policies are for all pods of a namespace. */
export function describeNetworkPolicy(cluster: () => HelperCluster, rig: () => Rig, target: () => PodTarget): void {
  test('direct is shut by the network policies, and opened by the one for the control plane', async (context) => {
    if (!cluster().capabilities.networkPolicy) context.skip('this cluster has no networkPolicy');
    const { kubernetes } = rig();
    const { namespace, pod } = target();
    const reachable = async (): Promise<boolean> => {
      await using way = openWay(kubernetes, target(), { channel: 'direct' });
      return await way.client.health(soon()).then(
        () => true,
        () => false,
      );
    };
    expect(await reachable()).toBe(true);
    const { status } = await kubernetes.core.readNamespacedPod({ namespace, name: pod });
    const source = await sourceOf(status?.podIP ?? '');

    await rig().putPolicies(namespace, { deniedCidrs: [] });
    await eventually(async () => !(await reachable()), POLICY_WITHIN_MS);
    await using shut = openWay(kubernetes, target(), { channel: 'direct' });
    await expect(shut.client.health(soon())).rejects.toMatchObject({ code: 'helper_unreachable' });
    await using byExec = openWay(kubernetes, target(), { channel: 'exec' });
    expect(await byExec.client.health(soon())).toMatchObject({ protocol: 3 });

    const all = rig().namespaceObjects(namespace, { deniedCidrs: [], controlPlaneCidr: `${source}/32` }).networkPolicies;
    for (const body of all) {
      await kubernetes.networking.createNamespacedNetworkPolicy({ namespace, body }).catch((error: unknown) => {
        if (statusOf(error)?.code !== 409) throw error;
      });
    }
    await eventually(reachable, POLICY_WITHIN_MS);
  });
}

/** The address that the pod sees us by. */
async function sourceOf(host: string): Promise<string> {
  const socket = connect({ host, port: helperPort });
  await once(socket, 'connect');
  const { localAddress = '' } = socket;
  socket.destroy();
  return localAddress;
}
