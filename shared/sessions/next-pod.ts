/**
 * What becomes of a session when it gets another pod: because the one before was lost, or because somebody starts it again. Pure.
 *
 * @module
 */
import { isAnchored } from './due.ts';
import type { SessionDocument, SessionStatus } from './model.ts';

/** What `nextState` is about to make of a session. */
export interface Change {
  readonly status: SessionStatus;
  /** For the history; null where there is nothing to tell. */
  readonly message: string | null;
  readonly fields?: Partial<SessionDocument>;
}

/** What a rebuild changes of a session: what its pods are made from. Its identity, storage and values of `env` stay. */
export type Rebuild = Pick<SessionDocument, 'template' | 'resource_tier' | 'spec'>;

const MINUTE_MS = 60_000;
const POD_LOSS_WINDOW_MS = 10 * MINUTE_MS;
const POD_LOSSES_ALLOWED = 3;

/** Whether files in `/workspace` are still there in the next pod. */
export function workspaceSurvivesPod({ spec }: Pick<SessionDocument, 'spec'>): boolean {
  return spec.storage_type !== 'ephemeral' || spec.volumes.some((volume) => volume.mount_path === '/workspace');
}

function later(now: Date, milliseconds: number): string {
  return new Date(now.getTime() + milliseconds).toISOString();
}

export function restartedPod(session: SessionDocument, now: Date): Partial<SessionDocument> {
  return {
    generation: session.generation + 1,
    pod_uid: null,
    node_name: null,
    channel: null,
    start_deadline: later(now, session.spec.start_deadline_seconds * 1000),
  };
}

/** A session that stops at its deadline gets a new one when it starts: the old one is what stopped it. Others keep theirs. */
export function startedAgain(session: SessionDocument, message: string, now: Date): Change & { readonly fields: Partial<SessionDocument> } {
  return {
    status: 'creating',
    message,
    fields: {
      ...restartedPod(session, now),
      restarts: false,
      stopped_at: null,
      ...(isAnchored(session) ? { expires_at: later(now, session.ttl_minutes * MINUTE_MS) } : {}),
    },
  };
}

export function lostPod(session: SessionDocument, reason: string, now: Date): Change {
  const recent = session.pod_losses.filter((at) => now.getTime() - Date.parse(at) < POD_LOSS_WINDOW_MS);
  const losses = [...recent, now.toISOString()];
  if (!workspaceSurvivesPod(session)) {
    return { status: 'failed', message: `pod_lost: ${reason}`, fields: { reason: `pod_lost: ${reason}`, pod_losses: losses } };
  }
  if (losses.length >= POD_LOSSES_ALLOWED) {
    const words = `pod_lost: lost ${losses.length} times in ten minutes, last: ${reason}`;
    return { status: 'failed', message: words, fields: { reason: words, pod_losses: losses } };
  }
  const fields = { ...restartedPod(session, now), reason: `pod_lost: ${reason}`, pod_losses: losses };
  return { status: 'creating', message: `The pod was lost and is rebuilt on its volume: ${reason}`, fields };
}
