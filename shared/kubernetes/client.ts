/**
 * The one implementation of the port: the library's typed calls over our transport, our own watch and exec stream.
 *
 * @module
 */
import type { RequestContext, ResponseContext } from '@kubernetes/client-node';
import { openAccess, type ClusterAccess } from './access.ts';
import { createExecDialer } from './exec-handshake.ts';
import { openExecStream } from './exec-stream.ts';
import { listMetadata } from './metadata.ts';
import { openPortForward } from './port-forward.ts';
import type { Kubernetes } from './port.ts';
import { createTransport, type Transport, type TransportOptions } from './transport.ts';
import { readChanges, watchCollection } from './watch.ts';

const REQUEST_TIMEOUT_MS = 10_000;
const LIST_TIMEOUT_MS = 30_000;

/** The library: 4 MB, so units that never touch the cluster start without it, and who will need it soon may call this early. */
export const loadLibrary = (): Promise<typeof import('@kubernetes/client-node')> => import('@kubernetes/client-node');

/**
 * Finds the cluster and gets ready to talk to it; no request is sent to it yet.
 *
 * @throws {KubernetesUnreachable} where the GKE API does not tell where the cluster is; an `Error` where a kubeconfig is of no use.
 */
export async function connectKubernetes(access: ClusterAccess, options: TransportOptions = {}): Promise<Kubernetes> {
  const [library, endpoint] = await Promise.all([loadLibrary(), openAccess(access)]);
  const transport = createTransport(endpoint, options);
  const exec = createExecDialer(endpoint);
  const configuration = library.createConfiguration({
    baseServer: new library.ServerConfiguration(endpoint.server, {}),
    httpApi: library.wrapHttpLibrary({
      send: (request) =>
        sendTyped(transport, request, (body) => new library.SelfDecodingBody(Promise.resolve(body)), library.ResponseContext),
    }),
  });
  return {
    core: new library.CoreV1Api(configuration),
    networking: new library.NetworkingV1Api(configuration),
    batch: new library.BatchV1Api(configuration),
    storage: new library.StorageV1Api(configuration),
    custom: new library.CustomObjectsApi(configuration),
    version: new library.VersionApi(configuration),
    watch: (watchOptions) => watchCollection(transport, watchOptions),
    changesSince: (changesOptions) => readChanges(transport, changesOptions),
    listMetadata: (listOptions) => listMetadata(transport, listOptions),
    exec: (execOptions) => openExecStream(exec, execOptions),
    portForward: (forwardOptions) => openPortForward(exec, forwardOptions),
    close: async () => {
      exec.close();
      await transport.close();
    },
  };
}

async function sendTyped(
  transport: Transport,
  request: RequestContext,
  decode: (body: Buffer) => ResponseContext['body'],
  Answer: typeof ResponseContext,
): Promise<ResponseContext> {
  const body = request.getBody();
  if (body !== undefined && typeof body !== 'string') throw new TypeError('Kubernetes takes no form data.');
  const path = request.getUrl().slice(transport.endpoint.server.length);
  const method = request.getHttpMethod();
  const signal = request.getSignal();
  const answer = await transport.fetch(
    { method, path, headers: request.getHeaders(), ...(body !== undefined && { body }), ...(signal !== undefined && { signal }) },
    timeoutOf(method, path),
  );
  return new Answer(answer.status, { ...answer.headers }, decode(answer.body));
}

// A whole collection takes the server longer than one object, and so does a log.
function timeoutOf(method: string, path: string): number {
  const [group = '', ...rest] = path.split('?', 1).join('').split('/').slice(1);
  const segments = rest.slice(group === 'api' ? 1 : 2);
  const inNamespace = segments[0] === 'namespaces' && segments.length > 2 ? segments.slice(2) : segments;
  const isCollection = inNamespace.length === 1 && method !== 'POST';
  return isCollection || inNamespace[2] === 'log' ? LIST_TIMEOUT_MS : REQUEST_TIMEOUT_MS;
}
