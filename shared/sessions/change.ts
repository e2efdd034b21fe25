/**
 * Applies what `nextState` decides: one compare-and-swap of the session's document, together with what its owner holds where that
 * changes with it.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { StoreError, type StoredDocument, type Write } from '../documents/port.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { AppError } from '../errors/app-error.ts';
import { leaveNamespace } from '../namespaces/membership.ts';
import type { NamespaceDocument } from '../namespaces/model.ts';
import { going } from '../storage/lifecycle.ts';
import type { VolumeDocument } from '../storage/model.ts';
import { anchorsOf, freeAnchor } from './anchors.ts';
import { anchorKey, collections, namespaceKey, sessionKey, userKey, volumeKey } from './collections.ts';
import { holdsResources, nextState, type ChangeEvent } from './lifecycle.ts';
import type { LastChange, SessionDocument } from './model.ts';

/** Berth itself, acting without a caller. */
export const bySystem: LastChange = { by: 'system', key_id: null, request_id: null };

/** A back end without a user of its own acts as the owner. */
export function byCaller(caller: Caller, owner: string): LastChange {
  return { by: caller.user ?? owner, key_id: caller.keyId, request_id: caller.requestId };
}

export function holdId(sessionId: string): string {
  return `session-${sessionId}`;
}

export async function readSession(deps: Deps, id: string): Promise<StoredDocument<SessionDocument> | undefined> {
  return deps.store.get<SessionDocument>(sessionKey(id));
}

export interface ChangeResult {
  /** As it is after the call, whoever wrote it. */
  readonly session: SessionDocument;
  /** Whether this call wrote it. */
  readonly changed: boolean;
}

/**
 * Tells the session that something happened. Reads and decides again when somebody else was faster, so the answer is always decided on
 * the newest document. Returns `undefined` where there is no such session; throws `AppError` `invalid_state` where its state refuses.
 */
export async function changeSession(
  deps: Deps,
  id: string,
  event: ChangeEvent,
  by: LastChange = bySystem,
): Promise<ChangeResult | undefined> {
  for (;;) {
    const stored = await readSession(deps, id);
    if (stored === undefined) return undefined;
    const next = nextState(stored.data, event, deps.clock.now(), by);
    if (next.kind === 'unchanged') return { session: stored.data, changed: false };
    if (next.kind === 'refused') throw invalidState(stored.data, event.type);
    const written = await writeChange(deps, stored, next.session);
    if (written) {
      logChange(deps, stored.data, next.session);
      return { session: next.session, changed: true };
    }
  }
}

export function invalidState(session: SessionDocument, action: string): AppError {
  const why = session.reason === null ? '' : ` (${session.reason})`;
  return new AppError('invalid_state', `The session is ${session.status}${why}; "${action}" is not possible in this state.`, {
    extensions: { session_status: session.status },
  });
}

/** Whether the write went through; `false` means that the document has changed since it was read. */
async function writeChange(deps: Deps, stored: StoredDocument<SessionDocument>, next: SessionDocument): Promise<boolean> {
  const releases = holdsResources(stored.data.status) && !holdsResources(next.status);
  // A failed session must not keep the name of its namespace from others until its deadline, unless its next start needs what is in it.
  const leaves = next.status === 'terminated' || (next.status === 'failed' && next.spec.env_names.length === 0);
  if (next.status === 'terminating' && anchorsOf(next).length > 0) return letGoOfAnchors(deps, stored, next);
  if (!releases && !leaves) return compareAndSwap(deps, stored, next);
  const keys = [userKey(next.user), stored.key, namespaceKey(next.namespace)];
  return deps.store.transact(keys, ([user, session, namespace]) => {
    if (session?.version !== stored.version) return { writes: [], result: false };
    const writes: Write[] = [{ type: 'set', key: stored.key, data: next }];
    if (user !== undefined) {
      const holder = user.data as UserDocument;
      const { [holdId(next.id)]: _released, ...holds } = holder.holds;
      writes.push({ type: 'set', key: user.key, data: { ...holder, holds } });
    }
    if (leaves && namespace !== undefined) {
      const left = leaveNamespace(namespace.data as NamespaceDocument, next.id, deps.clock.now());
      writes.push({ type: 'set', key: namespace.key, data: left });
    }
    return { writes, result: true };
  });
}

/** From now on the project or conversation may have another session, which must not find data that is to go with this one. */
async function letGoOfAnchors(deps: Deps, stored: StoredDocument<SessionDocument>, next: SessionDocument): Promise<boolean> {
  const mounted = next.preserve_data ? [] : [...new Set(next.spec.volumes.map(({ volume_id: id }) => id))];
  const keys = [stored.key, ...anchorsOf(next).map(anchorKey), ...mounted.map(volumeKey)];
  return deps.store.transact(keys, ([session, ...others]) => {
    if (session?.version !== stored.version) return { writes: [], result: false };
    const of = (collection: string) => others.filter((document) => document?.key.collection === collection);
    const writes: Write[] = [
      { type: 'set', key: stored.key, data: next },
      ...of(collections.anchors).flatMap((anchor) => freeAnchor(anchor, next.id)),
      ...of(collections.volumes).flatMap((volume) => goingWrites(volume, next)),
    ];
    return { writes, result: true };
  });
}

function goingWrites(stored: StoredDocument<object> | undefined, session: SessionDocument): readonly Write[] {
  const data = stored === undefined ? undefined : going(stored.data as VolumeDocument, session);
  return stored === undefined || data === undefined ? [] : [{ type: 'set', key: stored.key, data }];
}

async function compareAndSwap(deps: Deps, stored: StoredDocument<SessionDocument>, next: SessionDocument): Promise<boolean> {
  try {
    await deps.store.update(stored.key, next, stored.version);
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'conflict') return false;
    throw error;
  }
}

export function logChange(deps: Deps, before: SessionDocument, after: SessionDocument): void {
  if (before.status === after.status && before.generation === after.generation && before.restarts === after.restarts) return;
  if (after.status === 'terminated' || after.status === 'failed')
    deps.metrics.count('berth_sessions_ended_total', { status: after.status });
  deps.log.log(after.status === 'failed' ? 'warn' : 'info', `session ${before.status} -> ${after.status}`, {
    component: 'sessions',
    action: 'state',
    session_id: after.id,
    user_id: after.user,
    pod_name: after.pod_name,
    ...(after.node_name === null ? {} : { node_name: after.node_name }),
    ...(after.reason === null ? {} : { reason: after.reason }),
  });
}
