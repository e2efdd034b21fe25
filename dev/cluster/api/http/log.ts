/**
 * `pods/log`: the kubelet's bytes, passed on as they come.
 *
 * @module
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { V1Pod } from '@kubernetes/client-node';
import type { LogOptions, Node } from '../../port.ts';
import type { ObjectStore } from '../object-store.ts';
import { badRequest, invalid } from '../status.ts';
import { invalidValue } from '../validation/faults.ts';
import { findContainer } from './containers.ts';
import { booleanOf, integerOf } from './parameters.ts';

/** A refusal of the kubelet comes at once; without one the answer begins after this, so that a follower of a silent log is not kept waiting. */
const REFUSAL_MS = 50;

/** Answers the log, until its end or, with `follow`, until the container or the client ends it. Rejects before the answer has begun. */
export async function serveLog(
  objects: ObjectStore,
  node: Node,
  target: { readonly namespace: string | undefined; readonly name: string },
  query: URLSearchParams,
  response: ServerResponse,
  now: Date,
): Promise<void> {
  const { namespace = '', name } = target;
  const abort = new AbortController();
  const options = logOptions(name, query, now, abort.signal);
  const { pod, container } = findContainer(objects, namespace, name, query.get('container'));
  if (pod.spec?.nodeName === undefined) {
    response.writeHead(204).end();
    return;
  }
  refuseWithoutLog(pod, container, options.previous);
  response.on('close', () => abort.abort());
  const chunks = node.logs(namespace, name, container, options)[Symbol.asyncIterator]();
  const first = chunks.next();
  await settledWithin(first, REFUSAL_MS);
  response.writeHead(200, { 'content-type': 'text/plain' });
  response.flushHeaders();
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    for (let next = await first; next.done !== true; next = await chunks.next()) yield next.value;
  };
  try {
    await pipeline(Readable.from(rest(), { objectMode: false }), response);
  } catch (error) {
    // A client that has gone is no error.
    if (!abort.signal.aborted) throw error;
  }
}

/** Waits for a promise, but no longer than this; rejects if it does. */
async function settledWithin(promise: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function logOptions(name: string, query: URLSearchParams, now: Date, signal: AbortSignal): LogOptions {
  const least = { tailLines: 0, sinceSeconds: 1, limitBytes: 1 };
  const numbers: { tailLines?: number; sinceSeconds?: number; limitBytes?: number } = {};
  for (const member of ['tailLines', 'sinceSeconds', 'limitBytes'] as const) {
    const value = integerOf(query, member);
    if (value === undefined) continue;
    const bound = least[member] === 0 ? 'greater than or equal to 0' : 'greater than 0';
    if (value < least[member]) throw invalid('PodLogOptions', '', name, [invalidValue(member, value, `must be ${bound}`)]);
    numbers[member] = value;
  }
  const sinceTime = query.get('sinceTime');
  if (sinceTime !== null && sinceTime !== '') {
    const time = Date.parse(sinceTime);
    if (Number.isNaN(time)) throw badRequest(`parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse`);
    numbers.sinceSeconds = Math.max(1, Math.ceil((now.getTime() - time) / 1000));
  }
  return {
    follow: booleanOf(query, 'follow'),
    previous: booleanOf(query, 'previous'),
    timestamps: booleanOf(query, 'timestamps'),
    ...numbers,
    signal,
  };
}

/** What the kubelet says of a container that has never run. */
const WAITING: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: 'trying and failing to pull image',
};

function refuseWithoutLog(pod: V1Pod, container: string, previous: boolean): void {
  const name = pod.metadata?.name ?? '';
  const statuses = [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])];
  const status = statuses.find((item) => item.name === container);
  if (previous && status?.lastState?.terminated === undefined)
    throw badRequest(`previous terminated container "${container}" in pod "${name}" not found`);
  const reason = status?.state?.waiting?.reason;
  const never = status === undefined || (reason !== undefined && status.lastState?.terminated === undefined);
  if (never)
    throw badRequest(
      `container "${container}" in pod "${name}" is waiting to start: ${WAITING[reason ?? ''] ?? reason ?? 'ContainerCreating'}`,
    );
}
