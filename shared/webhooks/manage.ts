/**
 * Making, reading and deleting webhooks.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { mayActFor, type Caller } from '../auth/caller.ts';
import type { Secret } from '../auth/secret.ts';
import type { Deps } from '../deps.ts';
import type { DocumentKey, StoredDocument, Write } from '../documents/port.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { refuseDeleted } from '../entitlements/user.ts';
import { AppError } from '../errors/app-error.ts';
import { installationKeyId } from '../helper/secret.ts';
import { collections, userKey } from '../sessions/collections.ts';
import { signingKey, webhookKey } from './deliver.ts';
import { LARGEST_WEBHOOKS, webhooksOf } from './enqueue.ts';
import { everyone, type WebhookDocument, type WebhookEventType, type WebhookListDocument } from './model.ts';
import { webhookSecret } from './signature.ts';
import { webhookUrlFault } from './webhook-url.ts';

export interface NewWebhook {
  readonly url: string;
  readonly user?: string;
  readonly events?: readonly WebhookEventType[];
  readonly description?: string;
}

export interface MadeWebhook {
  readonly webhook: WebhookDocument;
  readonly secret: Secret;
  readonly replayed: boolean;
}

/**
 * Makes a webhook of the user's; of everyone's, where an admin names none. With the same idempotency key it answers the same one again,
 * secret included, as long as it exists. Throws `AppError`: `validation_failed`, `forbidden`, `too_many_webhooks`, `user_deleted`,
 * `idempotency_key_reused`.
 */
export async function createWebhook(deps: Deps, caller: Caller, request: NewWebhook, idempotencyKey?: string): Promise<MadeWebhook> {
  const user = ownerOfWebhook(caller, request.user);
  const fault = webhookUrlFault(request.url, deps.config.webhooksAllowPrivate);
  if (fault !== undefined) {
    throw new AppError('validation_failed', `The URL of a webhook ${fault}.`, { errors: [{ path: 'url', message: fault }] });
  }
  const webhook: WebhookDocument = {
    id: idempotencyKey === undefined ? deps.newId() : idOf(user, caller.keyId, idempotencyKey),
    user,
    url: request.url,
    description: request.description ?? null,
    events: [...new Set(request.events)].toSorted(),
    secret: { key_id: installationKeyId(deps.installationKey), nonce: randomBytes(12).toString('base64url') },
    created_at: deps.clock.now().toISOString(),
    deliveries: [],
  };
  const earlier = await admitWebhook(deps, webhook);
  if (earlier !== undefined) return replay(deps, earlier, webhook);
  return { webhook, secret: secretOf(deps.installationKey, webhook), replayed: false };
}

/** Writes the webhook, or answers with the one of the same id that is there. The list is what makes the limit hold at any concurrency. */
async function admitWebhook(deps: Deps, webhook: WebhookDocument): Promise<WebhookDocument | undefined> {
  const keys = [userKey(webhook.user), webhookListKey(webhook.user), webhookKey(webhook.id)] as const;
  return deps.store.transact(keys, ([user, list, present]) => {
    if (present !== undefined) return { writes: [], result: present.data as WebhookDocument };
    if (user !== undefined) refuseDeleted(user.data as UserDocument);
    const ids = idsOf(list);
    if (ids.length >= LARGEST_WEBHOOKS) {
      throw new AppError('too_many_webhooks', `There may be ${LARGEST_WEBHOOKS} webhooks; delete one first.`);
    }
    const writes: Write[] = [
      { type: 'set', key: keys[1], data: listOf(webhook.user, [...ids, webhook.id]) },
      { type: 'set', key: keys[2], data: webhook },
    ];
    return { writes, result: undefined };
  });
}

async function removeWebhook(deps: Pick<Deps, 'store'>, { id, user }: Pick<WebhookDocument, 'id' | 'user'>): Promise<void> {
  const list = webhookListKey(user);
  await deps.store.transact([list, webhookKey(id)], ([stored]) => {
    const left = listOf(
      user,
      idsOf(stored).filter((other) => other !== id),
    );
    const writes: Write[] = [
      left.webhooks.length === 0 ? { type: 'delete', key: list } : { type: 'set', key: list, data: left },
      { type: 'delete', key: webhookKey(id) },
    ];
    return { writes, result: undefined };
  });
}

function webhookListKey(user: string): DocumentKey {
  return { collection: collections.webhookLists, id: userKey(user).id };
}

function listOf(user: string, webhooks: readonly string[]): WebhookListDocument {
  return { user, webhooks };
}

function idsOf(stored: StoredDocument<object> | undefined): readonly string[] {
  return (stored?.data as WebhookListDocument | undefined)?.webhooks ?? [];
}

function ownerOfWebhook(caller: Caller, user: string | undefined): string {
  if (caller.kind === 'admin') return user ?? everyone;
  if (caller.kind === 'user' && user !== undefined && user !== caller.user) {
    throw new AppError('forbidden', 'This key acts for its own user only.', { errors: [{ path: 'user', message: 'leave it out' }] });
  }
  const owner = user ?? caller.user;
  if (owner !== null) return owner;
  throw new AppError('validation_failed', 'The request has to say for which user it is.', {
    errors: [{ path: 'user', message: 'required with a service key' }],
  });
}

/** In the form of other ids. */
function idOf(user: string, keyId: string, idempotencyKey: string): string {
  return createHash('sha256').update(['webhook', user, keyId, idempotencyKey].join('\n')).digest('hex').slice(0, 26);
}

function replay(deps: Deps, earlier: WebhookDocument, asked: WebhookDocument): MadeWebhook {
  const body = ({ url, events, description }: WebhookDocument): string => JSON.stringify([url, events, description]);
  if (body(earlier) !== body(asked)) throw new AppError('idempotency_key_reused', 'This Idempotency-Key was used with another body.');
  const key = signingKey(deps, earlier);
  if (key === undefined) throw new AppError('idempotency_key_reused', 'The webhook of this key is older than the installation key.');
  return { webhook: earlier, secret: secretOf(key, earlier), replayed: true };
}

function secretOf(key: Uint8Array, { id, secret }: WebhookDocument): Secret {
  return webhookSecret(key, id, secret.nonce);
}

export interface WebhookPage {
  readonly webhooks: readonly WebhookDocument[];
  readonly nextCursor: string | null;
}

export interface WebhookFilters {
  readonly user?: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** By id. A `user` key sees its own user's; a service needs to name the user whose it wants; an admin sees all. */
export async function listWebhooks(deps: Pick<Deps, 'store'>, caller: Caller, filters: WebhookFilters): Promise<WebhookPage> {
  const user = caller.kind === 'admin' ? filters.user : ownerOfWebhook(caller, filters.user);
  const page = await deps.store.query<WebhookDocument>(collections.webhooks, {
    where: user === undefined ? [] : [{ path: 'user', operator: '==', value: user }],
    limit: filters.limit,
    ...(filters.cursor === undefined ? {} : { cursor: filters.cursor }),
  });
  return { webhooks: page.documents.map(({ data }) => data), nextCursor: page.nextCursor ?? null };
}

/** Throws `AppError` `not_found`, also where it is another user's. */
export async function getWebhook(deps: Pick<Deps, 'store'>, caller: Caller, id: string): Promise<WebhookDocument> {
  const hook = (await deps.store.get<WebhookDocument>(webhookKey(id)))?.data;
  if (hook === undefined || !mayManage(caller, hook)) throw new AppError('not_found', `There is no webhook "${id}".`);
  return hook;
}

/** Deleting nothing is fine; deliveries on their way end. Throws `AppError` `not_found` where it is another user's. */
export async function deleteWebhook(deps: Pick<Deps, 'store'>, caller: Caller, id: string): Promise<WebhookDocument | undefined> {
  const hook = (await deps.store.get<WebhookDocument>(webhookKey(id)))?.data;
  if (hook === undefined) return undefined;
  if (!mayManage(caller, hook)) throw new AppError('not_found', `There is no webhook "${id}".`);
  await removeWebhook(deps, hook);
  return hook;
}

/** All that the user has; for one who was deleted. Answers how many there were. */
export async function deleteWebhooksOf(deps: Pick<Deps, 'store'>, user: string): Promise<number> {
  const hooks = await webhooksOf(deps, user);
  for (const hook of hooks) await removeWebhook(deps, hook);
  return hooks.length;
}

/** What is told about everyone's sessions is the admins' alone. */
function mayManage(caller: Caller, { user }: WebhookDocument): boolean {
  return user === everyone ? caller.kind === 'admin' : mayActFor(caller, user);
}
