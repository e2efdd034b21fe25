/**
 * Every behaviour of the helper and of the channels to it, once, for every cluster, image and kind of channel.
 *
 * What a behaviour needs of an image is declared with the image: those of a shell are told of images that have one, and the others show
 * the same with the helper's own program.
 *
 * @module
 */
import { afterAll, beforeAll, describe } from 'vitest';
import { connectKubernetes } from '../../../shared/kubernetes/client.ts';
import type { PodTarget } from '../../../shared/helper/port.ts';
import { Rig } from '../kubernetes/rig.ts';
import { describeChannel } from './channel.ts';
import { describeDoor } from './door.ts';
import { describeEnd } from './end.ts';
import { describeExecutions } from './executions.ts';
import { describeExecutionsOfShell } from './executions-of-shell.ts';
import { describeFiles } from './files.ts';
import { describeJobs } from './jobs.ts';
import { describeNetworkPolicy } from './network-policy.ts';
import { describePorts } from './ports.ts';
import { describeState } from './state.ts';
import { started, type HelperCluster, type HelperSubject } from './subject.ts';
import { describeTerminals } from './terminals.ts';
import { channelKinds, openWay, startPod, type HelperImage, type Way, type WayOptions } from './pods.ts';

export function describeCluster(title: string, connect: () => Promise<HelperCluster>, images: readonly HelperImage[]): void {
  describe(title, () => {
    let cluster: HelperCluster | undefined;
    let rig: Rig | undefined;
    const targets = new Map<HelperImage, PodTarget>();
    const targetOf = (image: HelperImage): PodTarget => started(targets.get(image));

    beforeAll(async () => {
      cluster = await connect();
      rig = new Rig(await connectKubernetes(cluster.access));
      const running = rig;
      const namespace = await running.tenant();
      const start = async (image: HelperImage): Promise<void> => void targets.set(image, await startPod(running, namespace, image));
      await Promise.all(images.map(start));
    });
    afterAll(async () => {
      await rig?.cleanUp();
      await rig?.kubernetes.close();
      await cluster?.stop();
    });

    for (const [index, image] of images.entries()) {
      const shared = {
        image,
        cluster: () => started(cluster),
        rig: () => started(rig),
        target: () => targetOf(image),
        neighbour: () => targetOf(started(images[(index + 1) % images.length])),
      };
      // Each image has a pod of its own, which its channels share.
      describe.concurrent(image.title, () => {
        for (const channel of channelKinds)
          describe(`by ${channel}`, { concurrent: false }, () => void describeHelper({ ...shared, channel }));
      });
    }
    describeNetworkPolicy(
      () => started(cluster),
      () => started(rig),
      () => targetOf(started(images[0])),
    );
    describeEnd(() => started(rig), images, targetOf);
  });
}

function describeHelper(shared: Omit<HelperSubject, 'way' | 'open'>): void {
  let way: Way | undefined;
  const open = (options: Partial<WayOptions> = {}): Way =>
    openWay(shared.rig().kubernetes, shared.target(), { channel: shared.channel, ...options });
  const subject: HelperSubject = { ...shared, open, way: () => started(way) };

  beforeAll(() => {
    way = open();
  });
  afterAll(async () => {
    await way?.pool.close();
  });

  describeChannel(subject);
  if (subject.channel !== 'exec') describeDoor(subject);
  describeState(subject);
  describeExecutions(subject);
  if (subject.image.shell) describeExecutionsOfShell(subject);
  describeTerminals(subject);
  describeJobs(subject);
  describeFiles(subject);
  describePorts(subject);
}
