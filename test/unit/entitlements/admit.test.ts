import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { admit, usageOf } from '../../../shared/entitlements/admit.ts';
import { entitlementsOf } from '../../../shared/entitlements/limits.ts';
import type { Hold } from '../../../shared/entitlements/model.ts';

const normal = entitlementsOf('normal');
const small: Hold = { sessions: 1, cpu: 0.25, memory_gb: 0.5 };

function holds(count: number, hold: Hold = small): Record<string, Hold> {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`session-${index}`, hold]));
}

describe('admit', () => {
  it('admits up to the limit and says what stands in the way of one more', () => {
    expect(admit(normal, usageOf(holds(4)), { hold: small, ttlMinutes: 60 })).toEqual({ admitted: true });
    expect(admit(normal, usageOf(holds(5)), { hold: small, ttlMinutes: 60 })).toEqual({
      admitted: false,
      limit: 'sessions',
      allowed: 5,
      used: 5,
      requested: 1,
    });
  });

  it('counts cores and memory by their requests', () => {
    const large: Hold = { sessions: 1, cpu: 2, memory_gb: 4 };
    expect(admit(normal, usageOf(holds(2, large)), { hold: small, ttlMinutes: 60 })).toMatchObject({
      limit: 'cpu',
      used: 4,
      requested: 0.25,
    });
  });

  it('refuses a life beyond the longest', () => {
    expect(admit(normal, usageOf({}), { hold: small, ttlMinutes: 1441 })).toMatchObject({
      limit: 'ttl_minutes',
      allowed: 1440,
      requested: 1441,
    });
  });

  it('lets a user who holds more than they may keep it, and get nothing new of it', () => {
    const usage = usageOf(holds(9));
    expect(admit(normal, usage, { hold: { storage_gb: 10 }, ttlMinutes: 1 })).toEqual({ admitted: true });
    expect(admit(normal, usage, { hold: { sessions: 1 }, ttlMinutes: 1 })).toMatchObject({ limit: 'sessions', used: 9 });
  });

  it('puts the user’s own limits over those of the type', () => {
    expect(admit(entitlementsOf('normal', { sessions: 1 }), usageOf(holds(1)), { hold: small, ttlMinutes: 1 })).toMatchObject({
      allowed: 1,
    });
  });

  it('puts the configuration’s limits between those of the type and the user’s own', () => {
    const configured = { normal: { sessions: 2, cpu: 1 }, pro: { sessions: 7 } };
    expect(entitlementsOf('normal', { cpu: 3 }, configured)).toMatchObject({ sessions: 2, cpu: 3, memory_gb: 8 });
    expect(entitlementsOf('admin', {}, configured)).toEqual(entitlementsOf('admin'));
  });

  it('never admits beyond a limit, whatever is asked for in whatever order', () => {
    const anyHold = fc.record({ sessions: fc.constant(1), cpu: fc.integer({ min: 1, max: 2000 }).map((milli) => milli / 1000) });
    fc.assert(
      fc.property(fc.array(anyHold, { maxLength: 60 }), (requests) => {
        const held: Record<string, Hold> = {};
        requests.forEach((hold, index) => {
          if (admit(normal, usageOf(held), { hold, ttlMinutes: 1 }).admitted) held[`session-${index}`] = hold;
        });
        const usage = usageOf(held);
        expect(usage.sessions).toBeLessThanOrEqual(normal.sessions);
        expect(usage.cpu).toBeLessThanOrEqual(normal.cpu);
      }),
    );
  });
});
