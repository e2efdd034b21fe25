/**
 * Discovery: what `kubectl` asks before anything else.
 *
 * @module
 */
import { KUBERNETES_VERSION } from '../controllers/bootstrap.ts';
import { apiVersion, kinds } from '../resources.ts';
import type { Kind } from '../resources.ts';

/** Versions of the API as `group/version`, each once. */
const groupVersions = [...new Set(kinds.map(apiVersion))];

/** The JSON of a discovery path, `undefined` for any other path. */
export function discover(path: string, host: string): unknown {
  const clean = path.length > 1 ? path.replace(/\/$/, '') : path;
  switch (clean) {
    case '/version':
      return version();
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: host }] };
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupVersions.filter((item) => item.includes('/')).map(group) };
    case '/openapi/v3':
      return {
        paths: Object.fromEntries(
          groupVersions.map((item) => [prefix(item).slice(1), { serverRelativeURL: `/openapi/v3${prefix(item)}?hash=1` }]),
        ),
      };
  }
  const single = groupVersions.find((item) => clean === `/apis/${item.split('/')[0]}` && item.includes('/'));
  if (single !== undefined) return { kind: 'APIGroup', apiVersion: 'v1', ...group(single) };
  const listed = groupVersions.find((item) => clean === prefix(item));
  if (listed !== undefined) return resourceList(listed);
  const documented = groupVersions.find((item) => clean === `/openapi/v3${prefix(item)}`);
  return documented === undefined ? undefined : openApi(documented);
}

function prefix(groupVersion: string): string {
  return groupVersion.includes('/') ? `/apis/${groupVersion}` : `/api/${groupVersion}`;
}

function version(): object {
  const [major, minor] = KUBERNETES_VERSION.slice(1).split('.');
  const platform = `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`;
  return {
    major,
    minor,
    gitVersion: KUBERNETES_VERSION,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: 'none',
    compiler: 'none',
    platform,
  };
}

function group(groupVersion: string): object {
  const [name, number] = groupVersion.split('/');
  const item = { groupVersion, version: number };
  return { name, versions: [item], preferredVersion: item };
}

const SUBRESOURCE_VERBS: Readonly<Record<string, readonly string[]>> = {
  status: ['get', 'patch', 'update'],
  finalize: ['update'],
  log: ['get'],
  exec: ['create', 'get'],
  attach: ['create', 'get'],
  portforward: ['create', 'get'],
  eviction: ['create'],
};

function resourceList(groupVersion: string): object {
  const own = kinds.filter((kind) => apiVersion(kind) === groupVersion);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion,
    resources: own.flatMap((kind) => [resource(kind), ...kind.subresources.map((name) => subresource(kind, name))]),
  };
}

function resource({ plural, singular, namespaced, kind, verbs, shortNames }: Kind): object {
  return {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length > 0 && { shortNames }),
    ...(plural === 'pods' && { categories: ['all'] }),
  };
}

function subresource({ plural, namespaced, kind }: Kind, name: string): object {
  const base = { name: `${plural}/${name}`, singularName: '', namespaced, kind, verbs: SUBRESOURCE_VERBS[name] ?? ['get'] };
  return name === 'eviction' ? { ...base, group: 'policy', version: 'v1', kind: 'Eviction' } : base;
}

/**
 * Just enough of OpenAPI for `kubectl create` and `apply`: it looks whether PATCH takes `fieldValidation` (then the server validates)
 * and otherwise would download and read the schemas of everything.
 */
function openApi(groupVersion: string): object {
  const own = kinds.filter((kind) => apiVersion(kind) === groupVersion);
  const paths = own.map(({ group: name, version: number, kind, plural, namespaced }) => {
    const path = `${prefix(groupVersion)}${namespaced ? '/namespaces/{namespace}' : ''}/${plural}/{name}`;
    const operation = {
      'x-kubernetes-group-version-kind': { group: name, version: number, kind },
      parameters: [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }],
      responses: { 200: { description: 'OK' } },
    };
    return [path, { patch: operation }] as const;
  });
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: KUBERNETES_VERSION },
    paths: Object.fromEntries(paths),
    components: { schemas: {} },
  };
}
