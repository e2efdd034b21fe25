/**
 * Lists, whole or in pages.
 *
 * @module
 */
import { entryKey } from '../entry.ts';
import type { Entry } from '../entry.ts';
import { isTree } from '../json.ts';
import type { ObjectStore } from '../object-store.ts';
import type { Kind } from '../resources.ts';
import { selects } from '../selectors.ts';
import { badRequest, expired, versionTooLarge } from '../status.ts';
import { integerOf, selectionOf, versionOf } from './parameters.ts';

export interface ListPage {
  readonly entries: readonly Entry[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string; readonly remainingItemCount?: number };
}

interface Continuation {
  readonly revision: number;
  /** The last key of the page before. */
  readonly after: string;
}

/** One page; all pages of a list show the state of the first. Throws 400, 410 for a page asked for too late, 504 for a version to come. */
export function listPage(objects: ObjectStore, kind: Kind, namespace: string | undefined, query: URLSearchParams): ListPage {
  const selection = selectionOf(kind, query);
  const asked = versionOf(query) ?? 0;
  if (asked > objects.revision) throw versionTooLarge(asked, objects.revision);
  const limit = integerOf(query, 'limit') ?? 0;
  const continuation = readContinuation(query.get('continue') ?? '');
  if (continuation !== undefined && continuation.revision < objects.oldestRevision) {
    throw expired(
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
    );
  }
  const revision = continuation?.revision ?? objects.revision;
  const all =
    continuation === undefined
      ? objects.entries(kind, namespace)
      : objects.entriesAt(kind, revision, namespace).filter((entry) => entryKey(entry) > continuation.after);
  const selected = all.filter(({ object }) => selects(selection, object));
  const entries = limit > 0 ? selected.slice(0, limit) : selected;
  const last = entries.at(-1);
  const resourceVersion = String(revision);
  if (entries.length === selected.length || last === undefined) return { entries, metadata: { resourceVersion } };
  // The real server counts what remains only where nothing was selected.
  const unselected = selection.labels.length === 0 && selection.fields.length === 0;
  const next = Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: entryKey(last) })).toString('base64url');
  return {
    entries,
    metadata: { resourceVersion, continue: next, ...(unselected && { remainingItemCount: selected.length - entries.length }) },
  };
}

function readContinuation(token: string): Continuation | undefined {
  if (token === '') return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (isTree(value) && typeof value['rv'] === 'number' && typeof value['start'] === 'string')
      return { revision: value['rv'], after: value['start'] };
  } catch {
    // Not ours: refused below, like a token of the wrong shape.
  }
  throw badRequest('invalid continue token: continue key is not valid');
}
