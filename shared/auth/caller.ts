/**
 * Who is calling, as the domains see it.
 *
 * @module
 */

/**
 * `user` acts as that one user; `service` is a back end that acts for the user named in the request; `admin` is a service that may
 * also administer.
 */
export const keyKinds = ['user', 'service', 'admin'] as const;
export type KeyKind = (typeof keyKinds)[number];

export interface Caller {
  readonly keyId: string;
  readonly kind: KeyKind;
  /** The user a `user` key acts as, and whom the other kinds act as where the request names nobody; `null` where there is none. */
  readonly user: string | null;
  readonly requestId: string;
}

/** Whether the caller may see and change what `owner` owns. Grants to other users come with sharing. */
export function mayActFor(caller: Caller, owner: string): boolean {
  return caller.kind !== 'user' || caller.user === owner;
}
