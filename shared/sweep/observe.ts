/**
 * Looks at the cluster: what has changed since the last pass, what does not run, and, page by page, everything.
 *
 * @module
 */
import type { KubernetesObject } from '@kubernetes/client-node';
import type { Deps } from '../deps.ts';
import { isGone, statusOf } from '../kubernetes/errors.ts';
import { metadataOf } from '../kubernetes/metadata.ts';
import type { Kubernetes } from '../kubernetes/port.ts';
import { labels } from '../pods/names.ts';
import { collectionPaths, objectKinds, type ObjectKind, type Sighting } from './actions.ts';
import type { CursorDocument } from './cursor.ts';

/** Enough for a bookmark: it comes two seconds before the end. */
const WATCH_SECONDS = 3;
/** Of one kind in one pass; the next one goes on where this one stopped. */
const MOST_CHANGES = 1000;
const LIST_PAGE = 500;
const POD_PAGE = 200;
const MOST_POD_PAGES = 10;

/** Selects what this installation has made, and nothing else. */
export function ownLabels(deps: Pick<Deps, 'installation'>): string {
  return `${labels.installation}=${deps.installation}`;
}

export interface Changes {
  /** Each as it was last. */
  readonly seen: readonly Sighting[];
  /** Where to go on. */
  readonly versions: CursorDocument['versions'];
  /** The server does not know some version any more: everything has to be compared. */
  readonly isForgotten: boolean;
}

/** All kinds at once, for as long as one watch lasts. Throws what Kubernetes throws. */
export async function observeChanges(deps: Deps, kubernetes: Kubernetes, versions: CursorDocument['versions']): Promise<Changes> {
  const labelSelector = ownLabels(deps);
  const kinds = objectKinds.flatMap((kind) => {
    const resourceVersion = versions[kind];
    return resourceVersion === undefined ? [] : [{ kind, resourceVersion }];
  });
  const looks = await Promise.all(kinds.map(({ kind, resourceVersion }) => followOnce(kubernetes, kind, labelSelector, resourceVersion)));
  return {
    seen: looks.flatMap(({ latest }) => latest),
    versions: Object.fromEntries(looks.map(({ kind, version }) => [kind, version])),
    isForgotten: looks.some(({ isForgotten }) => isForgotten),
  };
}

interface Look {
  readonly kind: ObjectKind;
  readonly version: string;
  readonly isForgotten: boolean;
  readonly latest: readonly Sighting[];
}

/** Until the server's bookmark, or its end of the request, where there is nothing newer to tell of. */
async function followOnce(kubernetes: Kubernetes, kind: ObjectKind, labelSelector: string, resourceVersion: string): Promise<Look> {
  const latest = new Map<string, Sighting>();
  let version = resourceVersion;
  try {
    const options = { path: collectionPaths[kind], labelSelector, resourceVersion, seconds: WATCH_SECONDS };
    for await (const event of kubernetes.changesSince<KubernetesObject>(options)) {
      if (event.type === 'BOOKMARK') {
        version = event.resourceVersion;
        break;
      }
      const sighting = sightingOf(kind, event.object);
      latest.set(`${sighting.namespace}/${sighting.name}`, event.type === 'DELETED' ? { ...sighting, isGone: true } : sighting);
      version = event.object.metadata?.resourceVersion ?? version;
      if (latest.size >= MOST_CHANGES) break;
    }
  } catch (error) {
    if (!isGone(error)) throw error;
    return { kind, version, isForgotten: true, latest: [] };
  }
  return { kind, version, isForgotten: false, latest: [...latest.values()] };
}

function sightingOf(kind: ObjectKind, object: KubernetesObject): Sighting {
  return { kind, ...metadataOf(object), ...(kind === 'pod' ? { pod: object } : {}) };
}

/** Pods that have ended, or have not begun: what happened to them may have been told before the last pass. */
export async function* podsNotRunning(deps: Deps, kubernetes: Kubernetes): AsyncGenerator<readonly Sighting[]> {
  const query = { labelSelector: ownLabels(deps), fieldSelector: 'status.phase!=Running', limit: POD_PAGE };
  let next = '';
  for (let page = 0; page < MOST_POD_PAGES; page += 1) {
    const { items, metadata } = await kubernetes.core.listPodForAllNamespaces({ ...query, ...(next === '' ? {} : { _continue: next }) });
    yield items.map((pod) => sightingOf('pod', pod));
    next = metadata?._continue ?? '';
    if (next === '') return;
  }
}

export interface Listing {
  readonly sightings: readonly Sighting[];
  /** Of the whole list: changes after it are seen by a watch. */
  readonly version: string;
}

/** Everything of one kind, a page at a time; nothing of a kind that this cluster does not serve. Throws what Kubernetes throws. */
export async function* everyObject(deps: Deps, kubernetes: Kubernetes, kind: ObjectKind, selector?: string): AsyncGenerator<Listing> {
  const labelSelector = selector === undefined ? ownLabels(deps) : `${ownLabels(deps)},${selector}`;
  let next: string | undefined;
  do {
    const query = { path: collectionPaths[kind], labelSelector, limit: LIST_PAGE, ...(next === undefined ? {} : { continue: next }) };
    try {
      const page = await kubernetes.listMetadata(query);
      yield { sightings: page.items.map((metadata) => ({ kind, ...metadata })), version: page.resourceVersion };
      next = page.continue;
    } catch (error) {
      if ((kind === 'job' || kind === 'snapshot') && isNotServed(error)) return;
      throw error;
    }
  } while (next !== undefined);
}

/** Jobs and snapshots are APIs of their own, which a cluster may lack and which Berth may have no right to where it makes none. */
function isNotServed(error: unknown): boolean {
  return [403, 404, 405, 501].includes(statusOf(error)?.code ?? 0);
}
