/**
 * Words
 * - **webhook**: an address that is told, by POST, when sessions of its owner change their status.
 * - **delivery**: one event on its way to one webhook; tried for an hour, at least once, in no particular order.
 * - **secret**: what deliveries are signed with. It is derived from the installation's key and kept nowhere.
 *
 * @module
 */
import { sessionStatuses, type SessionStatus } from '../sessions/model.ts';

export type WebhookEventType = `session.${SessionStatus}`;
export const webhookEventTypes: readonly WebhookEventType[] = sessionStatuses.map((status) => `session.${status}` as const);

/** Of all users: what an admin's webhook is about that names none. No user is called so. */
export const everyone = '*';

/** How one attempt to deliver ended. */
export interface DeliveryResult {
  /** Of the delivery: several attempts have the same. */
  readonly id: string;
  readonly event: WebhookEventType;
  readonly at: string;
  readonly duration_ms: number;
  /** Of the answer; null where there was none. */
  readonly status: number | null;
  /** Why it counts as failed; null where it was delivered. */
  readonly error: string | null;
}

/** `webhooks/{id}`. */
export interface WebhookDocument {
  readonly id: string;
  /** Whose sessions it is about, or everyone's. */
  readonly user: string;
  readonly url: string;
  readonly description: string | null;
  /** Empty: all of them. */
  readonly events: readonly WebhookEventType[];
  /** Which installation key the secret is derived from, and with what. */
  readonly secret: { readonly key_id: string; readonly nonce: string };
  readonly created_at: string;
  /** The newest twenty attempts, the newest first; of those that end alike within a second, one. */
  readonly deliveries: readonly DeliveryResult[];
}

/** `webhook_lists/{user}`: what the limit counts; written in one transaction with what it names. */
export interface WebhookListDocument {
  readonly user: string;
  readonly webhooks: readonly string[];
}

/** The session as a webhook is told of it. */
export interface WebhookSession {
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
  readonly previous_status: SessionStatus | null;
  readonly reason: string | null;
  readonly updated_at: string;
}

/** The body of a delivery. */
export interface WebhookEvent {
  /** The same in every attempt; receivers know repetitions by it. */
  readonly id: string;
  readonly type: WebhookEventType;
  /** When the session changed; deliveries may overtake one another. */
  readonly created_at: string;
  readonly session: WebhookSession;
}
