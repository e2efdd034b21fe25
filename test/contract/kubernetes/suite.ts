/**
 * Every behaviour of the Kubernetes API that Berth relies on, once, for every cluster that Berth runs on.
 *
 * A test is skipped by what the cluster declares it cannot do, never by which cluster it is.
 *
 * @module
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { connectKubernetes } from '../../../shared/kubernetes/client.ts';
import { describeAdmission } from './admission.ts';
import { describeChanges } from './changes.ts';
import { describeEmptyImages } from './empty-images.ts';
import { describeExec } from './exec.ts';
import { describeInitContainers } from './init-containers.ts';
import { describeNetwork } from './network.ts';
import { describeObjects } from './objects.ts';
import { describePods } from './pods.ts';
import { describePortForward } from './port-forward.ts';
import { describePodFailures } from './pod-failures.ts';
import { describeStorage } from './storage.ts';
import { describeVolumes } from './volumes.ts';
import { describeWatch } from './watch.ts';
import { Rig, type Capabilities, type Cluster } from './rig.ts';

/** What each area gets: getters, since the cluster is there only once the tests run. */
export interface Subject {
  readonly rig: () => Rig;
  readonly cluster: () => Cluster;
  /** Skips the running test, in words, where the cluster lacks the capability. */
  readonly needs: (context: { skip(note?: string): void }, capability: keyof Capabilities) => void;
  /** A tenant's namespace without network policies and a ready pod in it, shared by the tests that only look. */
  readonly shared: () => { readonly namespace: string; readonly pod: string };
}

export function describeKubernetes(name: string, connect: () => Promise<Cluster>): void {
  describe(name, () => {
    let cluster: Cluster | undefined;
    let rig: Rig | undefined;
    let shared: { namespace: string; pod: string } | undefined;
    const started = <T>(value: T | undefined): T => {
      if (value === undefined) throw new Error('The cluster has not been started.');
      return value;
    };
    const subject: Subject = {
      rig: () => started(rig),
      cluster: () => started(cluster),
      shared: () => started(shared),
      needs: (context, capability) => {
        if (!started(cluster).capabilities[capability]) context.skip(`${name} has no ${capability}`);
      },
    };

    beforeAll(async () => {
      cluster = await connect();
      rig = new Rig(await connectKubernetes(cluster.access));
      const namespace = await rig.tenant();
      shared = { namespace, pod: await rig.start(namespace) };
    });
    afterAll(async () => {
      await rig?.cleanUp();
      await rig?.kubernetes.close();
      await cluster?.stop();
    });

    describeObjects(subject);
    describeWatch(subject);
    describeChanges(subject);
    describeAdmission(subject);
    describePods(subject);
    describePodFailures(subject);
    describeInitContainers(subject);
    describeExec(subject);
    describePortForward(subject);
    describeEmptyImages(subject);
    describeStorage(subject);
    describeVolumes(subject);
    describeNetwork(subject);
  });
}
