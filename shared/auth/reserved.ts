/**
 * Names that are no person's.
 *
 * @module
 */

/** Berth itself, as it stands in the audit and in documents that it changed. */
export const SYSTEM = 'system';

/** Owners that are no people, Berth itself, and the administrator of a Berth on one machine. */
const NOT_BY_TOKEN = /^(?:project:|conversation:|(?:system|local)$)/;

/** Whether no identity token may speak for the name, whatever its issuer says. */
export function isReservedName(user: string): boolean {
  return NOT_BY_TOKEN.test(user);
}
