/**
 * What is shared with a user, and what has to be forgotten of it.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { StoreError, type Condition, type DocumentKey, type StoredDocument } from '../documents/port.ts';
import { AppError } from '../errors/app-error.ts';
import { collections } from '../sessions/collections.ts';
import type { Grants } from '../storage/model.ts';
import type { Caller } from './caller.ts';
import { sharedKey, type GrantDocument, type SharedKind } from './grants.ts';
import { withdraw } from './share.ts';

export interface SharedPage<T> {
  readonly documents: readonly T[];
  readonly nextCursor: string | null;
}

/** With whom; a back end says it. Throws `AppError` `validation_failed` where it does not. */
export function granteeOf(caller: Caller, user: string | undefined): string {
  const grantee = caller.kind === 'user' ? caller.user : (user ?? caller.user);
  if (grantee !== null) return grantee;
  throw new AppError('validation_failed', 'The request has to say with whom they are shared.', {
    errors: [{ path: 'user', message: 'required with a service key' }],
  });
}

/**
 * A page of the sessions, volumes or namespaces that were granted to the user one by one, the newest grant first. The grant in the thing
 * itself counts, so a page may be shorter than its limit and still not be the last.
 */
export async function sharedWithUser<T extends { readonly grants?: Grants }>(
  deps: Pick<Deps, 'store'>,
  user: string,
  kind: SharedKind,
  page: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<SharedPage<T>> {
  const granted = await deps.store.query<GrantDocument>(collections.grants, {
    where: [equal('user', user), equal('kind', kind)],
    orderBy: { path: 'created_at', direction: 'descending' },
    limit: page.limit,
    ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
  });
  const things = await Promise.all(granted.documents.map(({ data }) => deps.store.get<T>(sharedKey(kind, data.id))));
  return {
    documents: things.flatMap((thing) => (thing !== undefined && isGranted(thing.data, user) ? [thing.data] : [])),
    nextCursor: granted.nextCursor ?? null,
  };
}

const PAGE = 100;

/** For a user who goes: whoever gets the name next must not find it let in anywhere. */
export async function withdrawAllOf(deps: Deps, user: string): Promise<void> {
  for await (const { data } of grantsWhere(deps, equal('user', user))) await withdraw(deps, undefined, data.kind, data.id, user);
}

/** Drops the counterparts of grants that count no more: the shared thing is gone, ended or changed hands. Answers how many. */
export async function dropStaleGrants(deps: Deps, owner: string): Promise<number> {
  let dropped = 0;
  for await (const { key, data, version } of grantsWhere(deps, equal('owner', owner))) {
    const thing = await deps.store.get<{ readonly grants?: Grants; readonly owner?: string }>(sharedKey(data.kind, data.id));
    if (thing !== undefined && isGranted(thing.data, data.user)) continue;
    if (await deleteUnchanged(deps, key, version)) dropped += 1;
  }
  return dropped;
}

/** `false`: it was granted again meanwhile. */
async function deleteUnchanged(deps: Pick<Deps, 'store'>, key: DocumentKey, version: string): Promise<boolean> {
  try {
    await deps.store.delete(key, version);
    return true;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'conflict') return false;
    throw error;
  }
}

async function* grantsWhere(deps: Pick<Deps, 'store'>, condition: Condition): AsyncGenerator<StoredDocument<GrantDocument>> {
  let cursor: string | undefined;
  do {
    const page = await deps.store.query<GrantDocument>(collections.grants, {
      where: [condition],
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* page.documents;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

function isGranted({ grants }: { readonly grants?: Grants }, user: string): boolean {
  return grants !== undefined && Object.hasOwn(grants, user);
}

function equal(path: string, value: string): Condition {
  return { path, operator: '==', value };
}
