/**
 * What the routes ask of a session's life: stop, start, extend, end, and the one session of a project or conversation.
 *
 * @module
 */
import { recordAudit } from '../audit/record.ts';
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import type { ActivityNotes } from './activity.ts';
import type { Anchor } from './anchors.ts';
import type { CreateSessionRequest } from './create-request.ts';
import { deleteAnchored } from './delete-anchored.ts';
import { deleteSession } from './delete.ts';
import { ensureAnchored, getAnchored, type Ensured, type EnsureOptions } from './ensure-anchored.ts';
import { getSession } from './list.ts';
import { byCaller } from './change.ts';
import type { SessionDocument } from './model.ts';
import { workspaceSurvivesPod } from './next-pod.ts';
import { restartSession, startSession } from './start.ts';
import { stopSession } from './stop.ts';
import { updateSession, type SessionUpdate } from './update.ts';

export interface WaitOptions {
  /** How long the answer may wait for what was asked for; 0 answers at once. */
  readonly waitSeconds: number;
}

export interface DeleteOptions {
  /** Whether volumes that were made for the session stay; absent: as it was asked for at create. */
  readonly preserveData?: boolean;
}

/** All of them throw `AppError`. */
export interface LifecycleServices {
  stopSession(caller: Caller, id: string, options: WaitOptions): Promise<SessionDocument>;
  startSession(caller: Caller, id: string, options: WaitOptions): Promise<SessionDocument>;
  restartSession(caller: Caller, id: string, options: WaitOptions): Promise<SessionDocument>;
  updateSession(caller: Caller, id: string, update: SessionUpdate): Promise<SessionDocument>;
  deleteSession(caller: Caller, id: string, options?: DeleteOptions): Promise<void>;
  ensureAnchored(caller: Caller, anchor: Anchor, request: CreateSessionRequest, options: EnsureOptions): Promise<Ensured>;
  getAnchored(caller: Caller, anchor: Anchor): Promise<SessionDocument>;
  /** One that has none is fine. */
  deleteAnchored(caller: Caller, anchor: Anchor, options?: DeleteOptions): Promise<void>;
}

export function createLifecycleServices(deps: Deps, activity: ActivityNotes): LifecycleServices {
  return {
    stopSession: async (caller, id, { waitSeconds }) => {
      const session = await getSession(deps, caller, id, 'write');
      return withLossWarning(await stopSession(deps, id, byCaller(caller, session.user), waitSeconds * 1000));
    },
    startSession: async (caller, id, { waitSeconds }) => {
      const session = await getSession(deps, caller, id, 'write');
      return startSession(deps, id, byCaller(caller, session.user), waitSeconds * 1000);
    },
    restartSession: async (caller, id, { waitSeconds }) => {
      const session = await getSession(deps, caller, id, 'write');
      return withLossWarning(await restartSession(deps, id, byCaller(caller, session.user), waitSeconds * 1000));
    },
    updateSession: async (caller, id, update) => {
      const session = await getSession(deps, caller, id, 'write');
      await activity.touch(session);
      const updated = await updateSession(deps, id, update, byCaller(caller, session.user));
      const { ttl_minutes: ttlMinutes } = update;
      const detail = { fields: Object.keys(update).join(' '), ...(ttlMinutes === undefined ? {} : { ttl_minutes: ttlMinutes }) };
      await recordAudit(deps, { caller, user: session.user, action: 'session.update', target: `sessions/${id}`, detail });
      return updated;
    },
    deleteSession: async (caller, id, { preserveData } = {}) => {
      const session = await getSession(deps, caller, id, 'owner');
      await deleteSession(deps, id, byCaller(caller, session.user), preserveData);
    },
    ensureAnchored: async (caller, anchor, request, options) => {
      const ensured = await ensureAnchored(deps, caller, anchor, request, options);
      await activity.touch(ensured.session);
      return ensured;
    },
    getAnchored: (caller, anchor) => getAnchored(deps, caller, anchor),
    deleteAnchored: (caller, anchor, { preserveData = true } = {}) => deleteAnchored(deps, caller, anchor, preserveData),
  };
}

/** In the answer alone: it is about what was just done. */
function withLossWarning(session: SessionDocument): SessionDocument {
  if (workspaceSurvivesPod(session)) return session;
  const warning = 'The workspace was only in the pod: its files are gone with it. Ask for persistent storage to keep them.';
  return { ...session, warnings: [...session.warnings, warning] };
}
