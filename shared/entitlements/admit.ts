/**
 * Admission: may this user hold this much more? Pure; the caller runs it inside the store transaction that also writes the hold.
 *
 * @module
 */
import { countedLimits, type CountedLimit, type Entitlements, type Hold, type Usage } from './model.ts';

export type Admission =
  | { readonly admitted: true }
  | {
      readonly admitted: false;
      readonly limit: CountedLimit | 'ttl_minutes';
      readonly allowed: number;
      readonly used: number;
      readonly requested: number;
    };

/** The sum of what is held. Rounded to millionths, so that 0.1 + 0.2 cores are 0.3. */
export function usageOf(holds: Readonly<Record<string, Hold>>): Usage {
  const sums = Object.fromEntries(countedLimits.map((limit) => [limit, 0])) as Record<CountedLimit, number>;
  for (const hold of Object.values(holds)) {
    for (const limit of countedLimits) sums[limit] += hold[limit] ?? 0;
  }
  for (const limit of countedLimits) sums[limit] = Math.round(sums[limit] * 1e6) / 1e6;
  return sums;
}

/** The first limit that would be passed, or admission. A user who holds more than they may keep it and get nothing new of it. */
export function admit(entitlements: Entitlements, usage: Usage, request: { readonly hold: Hold; readonly ttlMinutes: number }): Admission {
  if (request.ttlMinutes > entitlements.ttl_minutes) {
    return { admitted: false, limit: 'ttl_minutes', allowed: entitlements.ttl_minutes, used: 0, requested: request.ttlMinutes };
  }
  for (const limit of countedLimits) {
    const requested = request.hold[limit] ?? 0;
    const used = usage[limit];
    const allowed = entitlements[limit];
    if (requested > 0 && Math.round((used + requested) * 1e6) / 1e6 > allowed) return { admitted: false, limit, allowed, used, requested };
  }
  return { admitted: true };
}
