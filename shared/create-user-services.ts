/**
 * Joins users and sharing to what the routes ask for.
 *
 * @module
 */
import { recordAudit } from './audit/record.ts';
import { deleteGrant, listGrants, putGrant } from './auth/share.ts';
import type { Deps } from './deps.ts';
import { deleteUser } from './entitlements/delete-user.ts';
import { getUser, listUsers, putUser } from './entitlements/users.ts';
import type { UserServices } from './http/user-services.ts';

export function createUserServices(deps: Deps): UserServices {
  return {
    getUser: (caller, user) => getUser(deps, caller, user),
    listUsers: (_caller, filters) => listUsers(deps, filters),
    putUser: async (caller, user, request) => {
      const put = await putUser(deps, user, request);
      await recordAudit(deps, { caller, user, action: 'user.put', target: `users/${user}`, detail: { type: put.type } });
      return put;
    },
    deleteUser: async (caller, user, options) => {
      const deleted = await deleteUser(deps, caller, user, options);
      await recordAudit(deps, { caller, user, action: 'user.delete', target: `users/${user}` });
      return deleted;
    },
    listGrants: (caller, kind, id) => listGrants(deps, caller, kind, id),
    putGrant: async (caller, kind, id, grant) => {
      const { owner, ...put } = await putGrant(deps, caller, kind, id, grant);
      const detail = { to: put.user, access: put.access };
      await recordAudit(deps, { caller, user: owner, action: 'grant.put', target: `${kind}s/${id}`, detail });
      return put;
    },
    deleteGrant: async (caller, kind, id, user) => {
      const owner = await deleteGrant(deps, caller, kind, id, user);
      await recordAudit(deps, { caller, user: owner, action: 'grant.delete', target: `${kind}s/${id}`, detail: { to: user } });
    },
  };
}
