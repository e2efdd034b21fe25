/**
 * Watches: one line of JSON for each change, from a version on.
 *
 * @module
 */
import type { ServerResponse } from 'node:http';
import type { Entry } from '../entry.ts';
import type { Change } from '../history.ts';
import type { ObjectStore } from '../object-store.ts';
import { apiVersion } from '../resources.ts';
import type { Kind } from '../resources.ts';
import { selects } from '../selectors.ts';
import { expired } from '../status.ts';
import { booleanOf, integerOf, selectionOf, versionOf } from './parameters.ts';
import { renderWatched } from './render.ts';
import type { Rendering } from './render.ts';

/** A watcher that has this many bytes unread is cut off; it resumes from its last version. */
const MOST_UNREAD = 8 * 1024 * 1024;
/** A bookmark comes this soon after the start, then at this interval: a client that resumes has a version that is not long forgotten. */
const FIRST_BOOKMARK_MS = 1000;
const BOOKMARK_INTERVAL_MS = 10_000;
/** Without `timeoutSeconds` the real server ends a watch after 30 to 60 minutes. */
const DEFAULT_TIMEOUT_SECONDS = 1800;

export interface WatchTarget {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  /** A watch of one object by its path. */
  readonly name?: string | undefined;
}

export interface WatchOutput {
  readonly response: ServerResponse;
  readonly render: Omit<Rendering, 'now'>;
  readonly now: () => Date;
}

/** Answers until the client goes, the time is up or the watcher is too slow. Throws 400 before the answer has begun. */
export function serveWatch(objects: ObjectStore, target: WatchTarget, query: URLSearchParams, output: WatchOutput): void {
  const { kind, namespace } = target;
  const { response } = output;
  const picks = picker(target, query);
  const bookmarks = booleanOf(query, 'allowWatchBookmarks');
  const asked = versionOf(query);
  const initial = asked === undefined || asked === 0 || booleanOf(query, 'sendInitialEvents');
  const since = initial ? objects.revision : asked;
  const timeoutSeconds = integerOf(query, 'timeoutSeconds') ?? 0;

  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' });
  response.flushHeaders();
  const lines = createLines(objects, kind, output);
  if (since < objects.oldestRevision || since > objects.revision) {
    // A version from the future is of a data folder that is no more: only a new list helps there, too.
    const { status } = expired(`too old resource version: ${since} (${objects.oldestRevision})`);
    response.end(`${JSON.stringify({ type: 'ERROR', object: status })}\n`);
    return;
  }
  if (initial) {
    for (const entry of objects.entries(kind, namespace)) if (picks(entry)) lines.emit('ADDED', entry);
    if (bookmarks) lines.bookmark(query.has('sendInitialEvents') ? { 'k8s.io/initial-events-end': 'true' } : undefined);
  }
  const unfollow = objects.follow(kind, since, (change) => {
    const event = visibleEvent(change, picks);
    if (event === undefined) return;
    lines.emit(event.type, event.entry);
    if (response.writableLength > MOST_UNREAD) response.destroy();
  });
  const timers: NodeJS.Timeout[] = [setTimeout(() => response.end(), (timeoutSeconds || DEFAULT_TIMEOUT_SECONDS) * 1000)];
  if (bookmarks) timers.push(setTimeout(lines.bookmark, FIRST_BOOKMARK_MS), setInterval(lines.bookmark, BOOKMARK_INTERVAL_MS));
  response.on('close', () => {
    unfollow();
    for (const timer of timers) clearTimeout(timer);
  });
}

/** Whether a watcher sees a version of an object. */
function picker({ kind, namespace, name }: WatchTarget, query: URLSearchParams): (entry: Entry) => boolean {
  const selection = selectionOf(kind, query);
  return ({ object }) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    (name === undefined || object.metadata.name === name) &&
    selects(selection, object);
}

interface Lines {
  emit(type: Change['type'], entry: Entry): void;
  /** Tells how far the watcher has seen. */
  bookmark(annotations?: Record<string, string>): void;
}

function createLines(objects: ObjectStore, kind: Kind, { response, render, now }: WatchOutput): Lines {
  let first = true;
  // Between the end of the answer and its 'close' there may still be events.
  const write = (line: string): void => {
    if (!response.writableEnded && !response.destroyed) response.write(`${line}\n`);
  };
  return {
    emit(type, entry) {
      write(`{"type":"${type}","object":${renderWatched(kind, entry, { ...render, now: now() }, first)}}`);
      first = false;
    },
    bookmark(annotations) {
      const metadata = { resourceVersion: String(objects.revision), ...(annotations && { annotations }) };
      write(JSON.stringify({ type: 'BOOKMARK', object: { kind: kind.kind, apiVersion: apiVersion(kind), metadata } }));
    },
  };
}

/** What a change is to a watcher that sees only a part: an object may enter or leave the selection without being made or deleted. */
function visibleEvent(
  { type, entry, previous, revision }: Change,
  picks: (entry: Entry) => boolean,
): { readonly type: Change['type']; readonly entry: Entry } | undefined {
  const before = previous !== undefined && picks(previous);
  const after = type !== 'DELETED' && picks(entry);
  if (before && after) return { type: 'MODIFIED', entry };
  if (after) return { type: 'ADDED', entry };
  if (!before) return undefined;
  return { type: 'DELETED', entry: type === 'DELETED' ? entry : { ...previous, revision, ...stamped(previous, revision) } };
}

/** The last version that was selected, under the revision at which it left. */
function stamped({ object, body }: Entry, revision: number): Pick<Entry, 'object' | 'body'> {
  const resourceVersion = String(revision);
  const content = JSON.parse(body) as { metadata: object };
  return {
    object: { ...object, metadata: { ...object.metadata, resourceVersion } },
    body: JSON.stringify({ ...content, metadata: { ...content.metadata, resourceVersion } }),
  };
}
