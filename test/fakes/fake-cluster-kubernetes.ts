/**
 * Kubernetes in memory behind the port that Berth uses, over a network that takes time and fails: for tests that live thousands of lives
 * in a minute. What it does is what the contract suite in `test/contract/kubernetes/` holds the real ones to, as far as Berth relies on it.
 */
import type {
  BatchV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubernetesObject,
  NetworkingV1Api,
  StorageV1Api,
  VersionApi,
} from '@kubernetes/client-node';
import { KubernetesUnreachable } from '../../shared/kubernetes/errors.ts';
import type {
  ChangesOptions,
  ChangeEvent,
  Kubernetes,
  MetadataListOptions,
  MetadataPage,
  WatchEvent,
  WatchOptions,
} from '../../shared/kubernetes/port.ts';
import type { CallFaults } from './fake-clock-network.ts';
import { ApiRefusal, type ClusterObject, type ClusterObjects } from './fake-cluster-kubernetes-objects.ts';
import type { FakeClusterOptions } from './fake-cluster-kubernetes-options.ts';
import { fieldsMatch, labelsMatch, mergePatch } from './fake-cluster-kubernetes-selectors.ts';
import { changesOf, kindOfPath, watchObjects } from './fake-cluster-kubernetes-watch.ts';

/** What a typed call is given, whatever its kind; `body` is an object to write, a patch, or the options of a deletion. */
interface CallParameters {
  readonly name?: string;
  readonly namespace?: string;
  readonly body?: KubernetesObject & { readonly preconditions?: { readonly uid?: string }; readonly gracePeriodSeconds?: number };
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly _continue?: string;
}

type Verb = 'create' | 'read' | 'replace' | 'patch' | 'delete' | 'list';

const METHOD = /^(create|read|replace|patch|delete|list)(?:Namespaced)?([A-Z]\w*?)(?:ForAllNamespaces)?(?:Status)?$/;

export function createFakeKubernetes(options: FakeClusterOptions): Kubernetes {
  const pages: Pages = new Map();
  const call = createCall(options, pages);
  const api = <T extends object>(): T =>
    new Proxy({} as T, {
      get(_target, method) {
        const [, verb, kind] = METHOD.exec(String(method)) ?? [];
        if (verb === undefined || kind === undefined) return undefined;
        return (parameters: CallParameters = {}) => call(verb as Verb, kind, parameters);
      },
    });
  const core = api<CoreV1Api>();
  return {
    core,
    networking: api<NetworkingV1Api>(),
    batch: api<BatchV1Api>(),
    storage: api<StorageV1Api>(),
    custom: api<CustomObjectsApi>(),
    version: {
      getCode: () => options.network.call(() => ({ gitVersion: 'v1.34.0' }), faultsOf(options)),
    } as Partial<VersionApi> as VersionApi,
    watch: <T extends KubernetesObject>(watch: WatchOptions) => watchObjects(options, watch) as AsyncGenerator<WatchEvent<T>>,
    changesSince: <T extends KubernetesObject>(changes: ChangesOptions) =>
      changesOf(options, changes, faultsOf(options)) as AsyncGenerator<ChangeEvent<T>>,
    listMetadata: (list) => options.network.call(() => metadataPage(options.objects, pages, list), faultsOf(options)),
    exec: () => Promise.reject(new KubernetesUnreachable('This cluster takes no exec.')),
    portForward: () => Promise.reject(new KubernetesUnreachable('This cluster forwards no ports.')),
    close: () => Promise.resolve(),
  };
}

function faultsOf(options: FakeClusterOptions, changes = false): CallFaults {
  const { before, after, away } = options.faults();
  const { chance, onFault } = options;
  if (away) {
    onFault('API server away');
    return { before: () => new KubernetesUnreachable('The API server is away (injected)') };
  }
  if (chance() < before) {
    onFault('API error before');
    return { before: () => (chance() < 0.5 ? new KubernetesUnreachable('connection reset (injected)') : unwell()) };
  }
  if (!changes || chance() >= after) return {};
  onFault('API error after');
  return { after: () => new KubernetesUnreachable('connection reset after the request was sent (injected)') };
}

function unwell(): ApiRefusal {
  return new ApiRefusal(503, 'ServiceUnavailable', 'etcdserver: leader changed (injected)');
}

function createCall(options: FakeClusterOptions, pages: Pages) {
  const { objects, network } = options;
  const act: Readonly<Record<Verb, (kind: string, parameters: CallParameters) => object>> = {
    create: (kind, { namespace, body = {}, dryRun }) => typed(objects.create(kind, namespace, body, dryRun !== undefined)),
    read: (kind, { namespace, name = '' }) => typed(objects.read(kind, namespace, name)),
    replace: (kind, { namespace, name = '', body = {} }) => typed(overwrite(objects, kind, objects.read(kind, namespace, name), body)),
    patch: (kind, { namespace, name = '', body = {} }) => {
      const present = objects.read(kind, namespace, name);
      return typed(overwrite(objects, kind, present, mergePatch(present, body)));
    },
    delete: (kind, { namespace, name = '', body, gracePeriodSeconds }) => {
      const present = objects.read(kind, namespace, name);
      const graceSeconds = gracePeriodSeconds ?? body?.gracePeriodSeconds;
      const deleted = objects.delete(kind, namespace, name, { uid: body?.preconditions?.uid, graceSeconds });
      options.onDelete?.(kind, present);
      return typed(deleted);
    },
    list: (kind, { _continue, ...parameters }) => listPage(objects, pages, kind, { ...parameters, continue: _continue }),
  };
  return (verb: Verb, kind: string, parameters: CallParameters): Promise<object> => {
    const changes = verb !== 'read' && verb !== 'list';
    return network.call(() => act[verb](kind, parameters), faultsOf(options, changes));
  };
}

function overwrite(objects: ClusterObjects, kind: string, present: ClusterObject, body: KubernetesObject): ClusterObject {
  const version = body.metadata?.resourceVersion;
  if (version !== undefined && version !== present.metadata.resourceVersion) {
    throw new ApiRefusal(409, 'Conflict', `Operation cannot be fulfilled on ${present.metadata.name}: the object has been modified`);
  }
  return objects.update(kind, present, () => body) ?? present;
}

/** What is left of lists that were begun: all pages show the state of the first. */
type Pages = Map<string, readonly ClusterObject[]>;

interface PageParameters extends Omit<CallParameters, '_continue'> {
  readonly continue?: string | undefined;
}

/** https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks */
function takePage(objects: ClusterObjects, pages: Pages, kind: string, parameters: PageParameters) {
  const { namespace, labelSelector, fieldSelector, limit = Infinity, continue: token = '' } = parameters;
  const matching =
    pages.get(token) ??
    objects.list(kind, namespace).filter((object) => labelsMatch(object, labelSelector) && fieldsMatch(object, fieldSelector));
  const items = matching.slice(0, limit);
  const left = matching.slice(items.length);
  const next = left.length === 0 ? '' : `page-${pages.size + 1}`;
  if (next !== '') pages.set(next, left);
  return { items, version: String(objects.version), next };
}

function listPage(objects: ClusterObjects, pages: Pages, kind: string, parameters: PageParameters): object {
  const { items, version, next } = takePage(objects, pages, kind, parameters);
  return { items: items.map(typed), metadata: { resourceVersion: version, _continue: next } };
}

function metadataPage(objects: ClusterObjects, pages: Pages, { path, ...parameters }: MetadataListOptions): MetadataPage {
  const { kind, namespace } = kindOfPath(path);
  const { items, version, next } = takePage(objects, pages, kind, { ...parameters, ...(namespace === undefined ? {} : { namespace }) });
  const listed = items.map(({ metadata }) => ({
    name: metadata.name,
    namespace: metadata.namespace ?? '',
    uid: metadata.uid,
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    createdAt: String(metadata.creationTimestamp),
    deletedAt: metadata.deletionTimestamp === undefined ? null : String(metadata.deletionTimestamp),
    isOwned: (metadata.ownerReferences ?? []).length > 0,
  }));
  return { items: listed, resourceVersion: version, ...(next === '' ? {} : { continue: next }) };
}

/** As the library hands it out: the times of the metadata are dates. */
function typed(object: ClusterObject): ClusterObject {
  const { creationTimestamp, deletionTimestamp, ...metadata } = object.metadata;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(creationTimestamp === undefined ? {} : { creationTimestamp: new Date(creationTimestamp) }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp: new Date(deletionTimestamp) }),
    },
  };
}
