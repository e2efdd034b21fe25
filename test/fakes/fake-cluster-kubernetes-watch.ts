/**
 * Watches on a cluster in memory: changes arrive in order and late, none while the API server is away, and now and then everything from
 * the start.
 */
import { KubernetesError } from '../../shared/kubernetes/errors.ts';
import type { ChangeEvent, ChangesOptions, WatchEvent, WatchOptions } from '../../shared/kubernetes/port.ts';
import type { CallFaults } from './fake-clock-network.ts';
import type { FakeClusterOptions } from './fake-cluster-kubernetes-options.ts';
import type { ClusterObject, ObjectChange } from './fake-cluster-kubernetes-objects.ts';
import { fieldsMatch, labelsMatch } from './fake-cluster-kubernetes-selectors.ts';

const kinds: Readonly<Record<string, string>> = {
  pods: 'Pod',
  namespaces: 'Namespace',
  persistentvolumeclaims: 'PersistentVolumeClaim',
  secrets: 'Secret',
  serviceaccounts: 'ServiceAccount',
  resourcequotas: 'ResourceQuota',
  limitranges: 'LimitRange',
  networkpolicies: 'NetworkPolicy',
  jobs: 'Job',
};

/** What `/api/v1/namespaces/x/pods` or `/apis/batch/v1/jobs` names. */
export function kindOfPath(path: string): { readonly kind: string; readonly namespace: string | undefined } {
  const [, namespace, plural = ''] = /^\/apis?(?:\/[a-z0-9.]+){1,2}\/(?:namespaces\/([^/]+)\/)?([a-z]+)$/.exec(path) ?? [];
  return { kind: kinds[plural] ?? plural, namespace };
}

interface Selection {
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

function selects({ path, labelSelector, fieldSelector }: Selection): (change: Pick<ObjectChange, 'kind' | 'object'>) => boolean {
  const { kind, namespace } = kindOfPath(path);
  return (change) =>
    change.kind === kind &&
    (namespace === undefined || change.object.metadata.namespace === namespace) &&
    labelsMatch(change.object, labelSelector) &&
    fieldsMatch(change.object, fieldSelector);
}

const BOOKMARK_MS = 60_000;
const AWAY_MS = 1000;

/** As `Kubernetes.watch`: goes on until the signal aborts. */
export async function* watchObjects(options: FakeClusterOptions, watch: WatchOptions): AsyncGenerator<WatchEvent<ClusterObject>> {
  const { objects, network, chance } = options;
  const { kind } = kindOfPath(watch.path);
  const isSelected = selects(watch);
  let position = watch.resourceVersion === undefined ? undefined : Number(watch.resourceVersion);
  while (!watch.signal.aborted) {
    if (position === undefined) {
      await present(options);
      const items = objects.list(kind).filter((object) => isSelected({ kind, object }));
      position = objects.version;
      for (const object of items) yield { type: 'ADDED', object };
      yield { type: 'BOOKMARK', resourceVersion: String(position) };
    }
    const from: number = position;
    await somethingNew(options, watch.signal, BOOKMARK_MS, () => objects.log.slice(from).some(isSelected));
    await network.call(() => undefined);
    await present(options);
    if (chance() < options.faults().gone) {
      options.onFault('watch gone');
      position = undefined;
      yield { type: 'RESTARTED' };
      continue;
    }
    const news = objects.log.slice(from);
    position = objects.version;
    for (const entry of news) {
      if (isSelected(entry) && !watch.signal.aborted) yield { type: entry.type, object: entry.object };
    }
    if (!watch.signal.aborted) yield { type: 'BOOKMARK', resourceVersion: String(position) };
  }
}

/** As `Kubernetes.changesSince`: one request, which the server ends; two seconds before, it sends a bookmark. */
export async function* changesOf(
  options: FakeClusterOptions,
  changes: ChangesOptions,
  faults: CallFaults,
): AsyncGenerator<ChangeEvent<ClusterObject>> {
  const { objects, network, clock, chance } = options;
  await network.call(() => undefined, faults);
  if (chance() < options.faults().gone) {
    options.onFault('watch gone');
    throw new KubernetesError({ code: 410, reason: 'Expired', message: 'too old resource version' });
  }
  const isSelected = selects(changes);
  let position = Number(changes.resourceVersion);
  for (const wait of [0, (changes.seconds - 2) * 1000]) {
    if (wait > 0) await clock.pause(wait);
    if (changes.signal?.aborted === true) return;
    const news = objects.log.slice(position);
    position = objects.version;
    for (const entry of news) if (isSelected(entry)) yield { type: entry.type, object: entry.object };
  }
  yield { type: 'BOOKMARK', resourceVersion: String(position) };
}

/** Resolves when the API server answers. */
async function present({ network, faults, clock, onFault }: FakeClusterOptions): Promise<void> {
  await network.call(() => undefined);
  while (faults().away) {
    onFault('API server away');
    await clock.pause(AWAY_MS);
  }
}

/** Resolves at the first news, after so long without any, and when the signal aborts; who has died is told nothing. */
function somethingNew(
  { objects, clock }: FakeClusterOptions,
  signal: AbortSignal,
  longestMs: number,
  isThere: () => boolean,
): Promise<void> {
  if (isThere() || signal.aborted) return Promise.resolve();
  const { life } = clock;
  return new Promise((resolve) => {
    const end = (): void => {
      stop();
      signal.removeEventListener('abort', end);
      timer.cancel();
      if (clock.life === life) resolve();
    };
    const stop = objects.onChange(() => {
      if (clock.life !== life || isThere()) end();
    });
    const timer = clock.after(longestMs, end);
    signal.addEventListener('abort', end, { once: true });
  });
}
