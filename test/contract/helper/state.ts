/**
 * What the helper says of itself and of its pod.
 *
 * @module
 */
import { describe, expect, test } from 'vitest';
import { PROTOCOL } from '../../../shared/helper/protocol.ts';
import { eventually } from '../kubernetes/rig.ts';
import { helper, never, run, soon, start, waits } from './run.ts';
import type { HelperSubject } from './subject.ts';

const MIB = 1024 * 1024;

export function describeState({ way, open, cluster }: HelperSubject): void {
  describe('the helper', () => {
    test('says what it speaks, and since when', async () => {
      const health = await way().client.health(soon());
      expect(health.protocol).toBe(PROTOCOL);
      expect(health.version).toMatch(/^\d+\.\d+\.\d+$/);
      expect(Date.parse(health.started_at)).toBeLessThan(Date.now() + 1_000);
      expect((await way().pool.channel(way().target, soon())).bootId).toBe(health.boot_id);
    });

    test('is the first process of its container', async (context) => {
      if (!cluster().capabilities.pidNamespace) context.skip('this cluster has no pidNamespace');
      expect(await way().client.health(soon())).toMatchObject({ pid: 1 });
    });

    test('counts what runs and what is connected', async () => {
      const before = await way().client.stats(soon());
      const abort = new AbortController();
      await using second = open();
      const records = start(second.client, waits, { stdin: never(), signal: abort.signal });
      await records.next();
      const during = await way().client.stats(soon());
      expect(during.executions).toBe(before.executions + 1);
      expect(during.connections).toBeGreaterThan(before.connections);
      expect(during.processes).toBeGreaterThan(before.processes);
      abort.abort();
      await expect(records.next()).rejects.toThrow(/./);
      await eventually(async () => (await way().client.stats(soon())).executions === before.executions, 3_000);
    });

    test('is small', async () => {
      const { helper: own } = await way().client.stats(soon());
      expect(own.memory_bytes).toBeGreaterThan(MIB);
      expect(own.memory_bytes).toBeLessThan(64 * MIB);
      expect(own.descriptors).toBeLessThan(100);
    });

    test('tells the memory and the processor time of its container, and when it was last used', async () => {
      const before = await way().client.stats(soon());
      expect(before.memory_bytes).toBeGreaterThan(0);
      expect(before.memory_limit_bytes ?? 512 * MIB).toBe(512 * MIB);
      // Where there is no control group, it is counted in steps of 10 ms.
      await eventually(async () => {
        await run(way().client, [helper, 'version']);
        return (await way().client.stats(soon())).cpu_ms > before.cpu_ms;
      }, 5_000);
      const after = await way().client.stats(soon());
      expect(Date.parse(after.last_activity_at)).toBeGreaterThan(Date.parse(before.last_activity_at));
    });
  });
}
