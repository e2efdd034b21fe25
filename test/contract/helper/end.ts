/**
 * What callers learn when the pod dies under them.
 *
 * @module
 */
import { describe, expect, test } from 'vitest';
import type { PodTarget } from '../../../shared/helper/port.ts';
import type { Rig } from '../kubernetes/rig.ts';
import { channelKinds, openWay, type HelperImage } from './pods.ts';
import { lasts, soon, start } from './run.ts';

export function describeEnd(rig: () => Rig, images: readonly HelperImage[], targetOf: (image: HelperImage) => PodTarget): void {
  describe.concurrent('the end of a pod', () => {
    test.each(images)('with $title is told to whoever is connected, and to whoever comes later', async (image) => {
      const target = targetOf(image);
      const { kubernetes } = rig();
      const ways = channelKinds.map((channel) => openWay(kubernetes, target, { channel }));
      const running = ways.map(({ client }) => start(client, lasts().argv, lasts()));
      for (const records of running) expect((await records.next()).value).toMatchObject({ type: 'started' });
      await kubernetes.core.deleteNamespacedPod({ namespace: target.namespace, name: target.pod });
      // The pod ends its commands itself, or its end cuts the connection: nobody hangs, and nobody is told of success.
      for (const records of running) {
        const { value } = await records.next();
        expect(value).toMatchObject({ type: 'end' });
        expect(value).not.toMatchObject({ end: 'exited', exit_code: 0 });
      }
      await rig().waitForPodGone(target.namespace, target.pod);
      for (const { client } of ways) {
        await expect(client.health(soon())).rejects.toMatchObject({ code: 'conflict', detail: "The session's pod is gone." });
      }
      for (const { pool } of ways) await pool.close();
    });
  });
}
