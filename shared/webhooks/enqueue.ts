/**
 * From a change of a session to deliveries: one task per webhook that wants to know.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { Deps } from '../deps.ts';
import type { Condition } from '../documents/port.ts';
import type { SessionState } from '../events/model.ts';
import { collections } from '../sessions/collections.ts';
import type { SessionStatus } from '../sessions/model.ts';
import type { Task } from '../tasks/port.ts';
import { everyone, type WebhookDocument, type WebhookEvent } from './model.ts';

/** What one user may have, and what may be about everyone. */
export const LARGEST_WEBHOOKS = 20;

/** Whether the webhook wants to know. Pure. */
export function wants({ events }: Pick<WebhookDocument, 'events'>, type: WebhookEvent['type']): boolean {
  return events.length === 0 || events.includes(type);
}

/** Pure: the event that a change makes, with an id that follows from the change's. */
export function webhookEvent(changeId: string, state: SessionState, previous: SessionStatus | null): WebhookEvent {
  const { id, user, namespace, name, labels, template, status, reason, updated_at: at } = state;
  const { workspace_id, project_id, conversation_id } = state;
  return {
    id: createHash('sha256').update(changeId).digest('hex').slice(0, 32),
    type: `session.${status}`,
    created_at: at,
    session: {
      id,
      user,
      namespace,
      name,
      labels,
      workspace_id,
      project_id,
      conversation_id,
      template,
      status,
      previous_status: previous,
      reason,
      updated_at: at,
    },
  };
}

/** Enqueues a delivery to each webhook; a second time it changes nothing. Throws `StoreError`, `TaskError`. */
export async function enqueueDeliveries(
  deps: Pick<Deps, 'clock' | 'store' | 'queue'>,
  changeId: string,
  state: SessionState,
  previous: SessionStatus | null,
): Promise<void> {
  const event = webhookEvent(changeId, state, previous);
  // Each for itself: a user's many must not leave out those about everyone.
  const hooks = await Promise.all([webhooksOf(deps, state.user), webhooksOf(deps, everyone)]);
  const wanted = hooks.flat().filter((hook) => wants(hook, event.type));
  for (const hook of wanted) await deps.queue.enqueue(deliveryTask(hook.id, event, deps.clock.now()));
}

/** All of the user's. */
export async function webhooksOf(deps: Pick<Deps, 'store'>, user: string): Promise<readonly WebhookDocument[]> {
  const where: Condition[] = [{ path: 'user', operator: '==', value: user }];
  const page = await deps.store.query<WebhookDocument>(collections.webhooks, { where, limit: LARGEST_WEBHOOKS });
  return page.documents.map(({ data }) => data);
}

/** Named by webhook and event, so that the same delivery is enqueued once; a digest first, as every task's name. */
function deliveryTask(webhookId: string, event: WebhookEvent, now: Date): Task {
  const rest = `webhook-${webhookId}-${event.id}`;
  return {
    name: `${createHash('sha256').update(rest).digest('hex').slice(0, 6)}-${rest}`,
    target: 'webhook',
    payload: { webhook_id: webhookId, enqueued_at: now.toISOString(), event: { ...event, session: { ...event.session } } },
  };
}
