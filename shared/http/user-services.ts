/**
 * What the routes of users and of sharing ask of the domains.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { SharedKind } from '../auth/grants.ts';
import type { Grant } from '../auth/share.ts';
import type { EndedUser } from '../entitlements/end-user.ts';
import type { UserFilters, UserPage, UserRequest, UserView } from '../entitlements/users.ts';

/** All of them throw `AppError`. Whether the caller is an admin, where it has to be one, is asked by the route. */
export interface UserServices {
  getUser(caller: Caller, user: string): Promise<UserView>;
  listUsers(caller: Caller, filters: UserFilters): Promise<UserPage>;
  putUser(caller: Caller, user: string, request: UserRequest): Promise<UserView>;
  deleteUser(caller: Caller, user: string, options: { readonly force: boolean }): Promise<EndedUser>;
  listGrants(caller: Caller, kind: SharedKind, id: string): Promise<readonly Grant[]>;
  putGrant(caller: Caller, kind: SharedKind, id: string, grant: Grant): Promise<Grant>;
  deleteGrant(caller: Caller, kind: SharedKind, id: string, user: string): Promise<void>;
}
