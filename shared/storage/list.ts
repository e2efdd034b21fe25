/**
 * Volumes in lists.
 *
 * @module
 */
import { accessOf, type Caller } from '../auth/caller.ts';
import { granteeOf, sharedWithUser } from '../auth/shared-with.ts';
import type { Deps } from '../deps.ts';
import type { Condition } from '../documents/port.ts';
import { hostOf } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { collections, namespaceKey } from '../sessions/collections.ts';
import type { VolumeDocument, VolumeStatus, VolumeType } from './model.ts';

/** One that is gone is not listed, but can be read for a while by who knows its id. */
const listed = ['creating', 'ready', 'failed', 'deleting'] as const satisfies readonly VolumeStatus[];

export interface VolumeFilters {
  readonly namespace?: string;
  readonly user?: string;
  readonly type?: VolumeType;
  /** Those of others that are shared with the caller, in place of their own. */
  readonly shared?: boolean;
  readonly limit: number;
  readonly cursor?: string;
}

export interface VolumePage {
  readonly volumes: readonly VolumeDocument[];
  readonly nextCursor: string | null;
}

/** Newest first. A `user` key sees its own user's volumes. Throws `AppError` `validation_failed`. */
export async function listVolumes(deps: Deps, caller: Caller, filters: VolumeFilters): Promise<VolumePage> {
  if (filters.shared === true) return listShared(deps, caller, filters);
  if (caller.kind !== 'user' || caller.user === null) return queryVolumes(deps, filters);
  if (filters.user !== undefined && filters.user !== caller.user) return { volumes: [], nextCursor: null };
  return queryVolumes(deps, { ...filters, user: caller.user });
}

async function queryVolumes(deps: Deps, filters: VolumeFilters): Promise<VolumePage> {
  const equal = (path: string, value: string | undefined): Condition[] => (value === undefined ? [] : [{ path, operator: '==', value }]);
  const page = await deps.store.query<VolumeDocument>(collections.volumes, {
    where: [
      ...equal('user', filters.user),
      ...equal('namespace', filters.namespace),
      ...equal('type', filters.type),
      { path: 'status', operator: 'in', value: [...listed] },
    ],
    orderBy: { path: 'created_at', direction: 'descending' },
    limit: filters.limit,
    ...(filters.cursor === undefined ? {} : { cursor: filters.cursor }),
  });
  return { volumes: page.documents.map((document) => document.data), nextCursor: page.nextCursor ?? null };
}

/**
 * Those that were shared with the user one by one, the newest grant first; with `namespace`, all of a namespace that is the user's or shared
 * with them. The `user` filter then says whose they are; a back end says with it for whom it asks.
 */
async function listShared(deps: Deps, caller: Caller, filters: VolumeFilters): Promise<VolumePage> {
  const user = granteeOf(caller, filters.user);
  const { user: named, ...others } = filters;
  const wanted: VolumeFilters = caller.kind === 'user' && named !== undefined ? { ...others, user: named } : others;
  if (wanted.namespace !== undefined) return inNamespace(deps, user, wanted.namespace, wanted);
  const page = await sharedWithUser<VolumeDocument>(deps, user, 'volume', wanted);
  const matches = (volume: VolumeDocument): boolean =>
    volume.status !== 'deleted' &&
    (wanted.user === undefined || volume.user === wanted.user) &&
    (wanted.type === undefined || volume.type === wanted.type);
  return { volumes: page.documents.filter(matches), nextCursor: page.nextCursor };
}

async function inNamespace(deps: Deps, user: string, name: string, filters: VolumeFilters): Promise<VolumePage> {
  const namespace = await deps.store.get<NamespaceDocument>(namespaceKey(name));
  if (namespace === undefined || accessOf(user, namespace.data) === undefined) return { volumes: [], nextCursor: null };
  const page = await queryVolumes(deps, filters);
  // Those that have left it, of an owner before, are in the list of nobody but their owners.
  const visible = page.volumes.filter((volume) => volume.user === user || hostOf(namespace.data, volume.id) !== undefined);
  return { ...page, volumes: visible };
}
