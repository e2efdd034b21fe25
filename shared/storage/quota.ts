/**
 * Whether a user may hold more storage. Pure.
 *
 * @module
 */
import { admit, usageOf } from '../entitlements/admit.ts';
import type { Entitlements, Hold, UserDocument } from '../entitlements/model.ts';
import { refuseDeleted } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';

/** Throws `AppError` `quota_exceeded` naming the limit, `user_deleted`. */
export function refuseStorage(entitlements: Entitlements, user: UserDocument, hold: Hold): void {
  refuseDeleted(user);
  const admission = admit(entitlements, usageOf(user.holds), { hold, ttlMinutes: 0 });
  if (admission.admitted) return;
  const { limit, allowed, used, requested } = admission;
  const detail = `The limit "${limit}" of user "${user.user}" (${user.type}) is ${String(allowed)}: ${String(used)} used, ${String(requested)} more asked for.`;
  throw new AppError('quota_exceeded', detail, { extensions: { limit, allowed, used, requested } });
}
