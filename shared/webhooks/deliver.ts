/**
 * The `webhook` task: one attempt to deliver. The queue brings it again, with its backoff, until it is delivered or an hour has passed.
 *
 * @module
 */
import { z } from 'zod';
import type { Deps } from '../deps.ts';
import { type DocumentKey, StoreError } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { installationKeyId } from '../helper/secret.ts';
import { collections } from '../sessions/collections.ts';
import { type DeliveryResult, type WebhookDocument, type WebhookEvent, webhookEventTypes } from './model.ts';
import { type Resolve, send } from './send.ts';
import { signatureHeader, signDelivery, webhookSecret } from './signature.ts';
import { webhookUrlFault } from './webhook-url.ts';

const TIMEOUT_MS = 10_000;
const TRIED_FOR_MS = 3_600_000;
const DELIVERIES_KEPT = 20;
/** Firestore writes one document once a second; of results that are alike one tells enough. */
const ALIKE_WITHIN_MS = 1_000;
const LONGEST_ERROR = 200;

const payloadSchema = z.object({
  webhook_id: z.string().min(1),
  /** The hour begins with the task, not with the change: an event may be told late. */
  enqueued_at: z.iso.datetime(),
  event: z.looseObject({ id: z.string(), type: z.enum(webhookEventTypes) }),
});

export function webhookKey(id: string): DocumentKey {
  return { collection: collections.webhooks, id };
}

export interface DeliverOptions {
  readonly signal?: AbortSignal;
  readonly resolve?: Resolve;
}

/**
 * Resolves where the delivery is made, given up, or no longer wanted. Throws `AppError` `webhook_failed` where it has to come again.
 */
export async function deliverWebhook(deps: Deps, payload: unknown, options: DeliverOptions = {}): Promise<void> {
  const parsed = payloadSchema.safeParse(payload);
  if (!parsed.success) {
    deps.log.log('error', 'a delivery cannot be understood', { component: 'webhooks', action: 'bad_payload', error: parsed.error });
    return;
  }
  const { webhook_id: id, enqueued_at: since, event } = parsed.data;
  const hook = (await deps.store.get<WebhookDocument>(webhookKey(id)))?.data;
  if (hook === undefined) return;
  const now = deps.clock.now();
  if (now.getTime() - Date.parse(since) > TRIED_FOR_MS) {
    deps.metrics.count('berth_webhook_deliveries_total', { outcome: 'given_up' });
    deps.log.log('warn', 'a delivery to a webhook was given up', {
      component: 'webhooks',
      action: 'given_up',
      webhook_id: id,
      delivery_id: event.id,
    });
    return;
  }
  const started = performance.now();
  const { status, error } = await attempt(deps, hook, event, options);
  const result: DeliveryResult = {
    id: event.id,
    event: event.type,
    at: now.toISOString(),
    duration_ms: Math.round(performance.now() - started),
    status,
    error,
  };
  deps.metrics.count('berth_webhook_deliveries_total', { outcome: error === null ? 'delivered' : 'failed' });
  await keepResult(deps, id, result);
  if (error !== null) throw new AppError('webhook_failed', `The webhook was not delivered: ${error}.`);
}

async function attempt(
  deps: Deps,
  hook: WebhookDocument,
  event: Pick<WebhookEvent, 'id' | 'type'>,
  options: DeliverOptions,
): Promise<Pick<DeliveryResult, 'status' | 'error'>> {
  const allowPrivate = deps.config.webhooksAllowPrivate;
  // The configuration may have become stricter since.
  const fault = webhookUrlFault(hook.url, allowPrivate);
  if (fault !== undefined) return { status: null, error: `the URL ${fault}` };
  const key = signingKey(deps, hook);
  if (key === undefined) return { status: null, error: 'its secret is lost with an old installation key; make the webhook anew' };
  const body = JSON.stringify(event);
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'Berth-Webhooks',
    'berth-event': event.type,
    'berth-delivery': event.id,
    [signatureHeader]: signDelivery(webhookSecret(key, hook.id, hook.secret.nonce), body, deps.clock.now()),
  };
  try {
    const status = await send(new URL(hook.url), headers, body, { allowPrivate, timeoutMs: TIMEOUT_MS, ...options });
    const delivered = status >= 200 && status < 300;
    return { status, error: delivered ? null : `it answered ${status}` };
  } catch (error) {
    options.signal?.throwIfAborted();
    return { status: null, error: describe(error) };
  }
}

/** The key that the secret was derived from, as long as it is one of the two live ones. */
export function signingKey(
  deps: Pick<Deps, 'installationKey' | 'previousInstallationKey'>,
  { secret }: Pick<WebhookDocument, 'secret'>,
): Uint8Array | undefined {
  const live = [deps.installationKey, deps.previousInstallationKey];
  return live.find((key) => key !== undefined && installationKeyId(key) === secret.key_id);
}

function describe(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  // A refusal by the network names the address that was tried, which is not for a stranger to learn.
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  return (code ?? text).slice(0, LONGEST_ERROR);
}

/** Of results that end alike within a second the first is written; pure. `undefined`: nothing is. */
function withResult(hook: WebhookDocument, result: DeliveryResult): WebhookDocument | undefined {
  const [newest] = hook.deliveries;
  const alike = newest !== undefined && newest.status === result.status && newest.error === result.error;
  if (alike && Math.abs(Date.parse(result.at) - Date.parse(newest.at)) < ALIKE_WITHIN_MS) return undefined;
  return { ...hook, deliveries: [result, ...hook.deliveries].slice(0, DELIVERIES_KEPT) };
}

/** A webhook that was deleted meanwhile stays deleted. What was delivered is delivered, also where that could not be written down. */
async function keepResult(deps: Deps, id: string, result: DeliveryResult): Promise<void> {
  const key = webhookKey(id);
  try {
    await deps.store.transact([key], ([stored]) => {
      const next = stored && withResult(stored.data as WebhookDocument, result);
      return { writes: next === undefined ? [] : [{ type: 'set', key, data: next }], result: undefined };
    });
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    deps.log.log('warn', 'the result of a delivery was not written down', {
      component: 'webhooks',
      action: 'result_lost',
      webhook_id: id,
      delivery_id: result.id,
      error,
    });
  }
}
