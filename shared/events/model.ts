/**
 * Words
 * - **change**: one write of a session's document, told with what it was before and what it is after.
 * - **roll-up**: what the sessions of one user came to on one day (UTC): a sum of deltas.
 * - **delta**: what one change adds to roll-ups. It follows from the change alone, so that changes may arrive in any order.
 * - **handled**: the record that a change has been counted, so that it is counted once however often it arrives.
 *
 * @module
 */
import type { LastChange, SessionStatus } from '../sessions/model.ts';

/** What of a session's document matters to those who follow its changes. */
export interface SessionState {
  readonly id: string;
  readonly user: string;
  readonly namespace: string;
  readonly name: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly workspace_id: string | null;
  readonly project_id: string | null;
  readonly conversation_id: string | null;
  readonly template: string;
  readonly status: SessionStatus;
  readonly reason: string | null;
  readonly generation: number;
  readonly spec: { readonly resources: { readonly cpu_requests: string } };
  readonly created_at: string;
  readonly updated_at: string;
  readonly started_at: string | null;
  readonly terminated_at: string | null;
  readonly last_change: LastChange;
}

/** Of a session that is there: when a document goes, its session has ended before. */
export interface SessionChange {
  /** The same however often the change is told, and no other change has it. */
  readonly id: string;
  /** Absent where the session is new. */
  readonly before?: SessionState;
  readonly after: SessionState;
}

/** Everything is a sum; a day on which nothing happened has no document. */
export interface RollupCounts {
  readonly sessions_created: number;
  /** How often a pod became ready: a session that is stopped and started counts again. */
  readonly sessions_started: number;
  readonly sessions_failed: number;
  readonly sessions_ended: number;
  /** Seconds that sessions were running, and the same times the cores that they asked for. */
  readonly session_seconds: number;
  readonly cpu_seconds: number;
}

/** `rollups/{user}-{day}`. */
export interface RollupDocument extends RollupCounts {
  readonly user: string;
  /** `2026-01-31`, in UTC. */
  readonly day: string;
  readonly updated_at: string;
  readonly purge_at: string;
}

/** `handled/{digest of the change's id}`. */
export interface HandledDocument {
  readonly change: string;
  readonly at: string;
  readonly purge_at: string;
}
