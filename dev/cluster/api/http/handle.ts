/**
 * Requests for resources: method and path to what is done.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { V1Pod } from '@kubernetes/client-node';
import type { Node } from '../../port.ts';
import { isTree } from '../json.ts';
import type { ObjectStore } from '../object-store.ts';
import { deleteObject } from '../remove.ts';
import type { DeleteOptions } from '../remove.ts';
import { pods } from '../resources.ts';
import type { Verb } from '../resources.ts';
import { selects } from '../selectors.ts';
import { badRequest, methodNotAllowed, notFound, notImplemented } from '../status.ts';
import { createObject, patchObject, updateObject } from '../write.ts';
import { contentTypeOf, readJson } from './body.ts';
import { listPage } from './list.ts';
import { serveLog } from './log.ts';
import { booleanOf, integerOf, selectionOf } from './parameters.ts';
import { formOf, renderList, renderOne } from './render.ts';
import type { Rendering } from './render.ts';
import { sendJson } from './respond.ts';
import type { Route } from './route.ts';
import { serveWatch } from './watch.ts';

export interface Context {
  readonly objects: ObjectStore;
  readonly node: () => Node;
  readonly now: () => Date;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
}

/** Answers a request for a resource. Rejects with the error to be answered. */
export async function handleResource(context: Context, route: Route): Promise<void> {
  if (route.subresource !== undefined && route.name !== undefined) return handleSubresource(context, route, route.name, route.subresource);
  return route.name === undefined ? handleCollection(context, route) : handleObject(context, route, route.name);
}

function requireVerb({ kind }: Route, verb: Verb): void {
  if (!kind.verbs.includes(verb)) throw methodNotAllowed();
}

async function handleCollection(context: Context, route: Route): Promise<void> {
  const { objects, query, request, response } = context;
  const { kind, namespace } = route;
  // Without a namespace in the path, a namespaced collection can only be read.
  const writable = !kind.namespaced || namespace !== undefined;
  switch (request.method) {
    case 'GET': {
      if (booleanOf(query, 'watch')) return watch(context, route);
      requireVerb(route, 'list');
      const { entries, metadata } = listPage(objects, kind, namespace, query);
      return sendJson(response, 200, renderList(kind, entries, metadata, rendering(context)));
    }
    case 'POST': {
      requireVerb(route, 'create');
      if (!writable) throw methodNotAllowed();
      const body = await readJson(request);
      const entry = createObject(objects, { kind, namespace, dryRun: isDryRun(query) }, body);
      return sendJson(response, 201, renderOne(kind, entry, rendering(context)));
    }
    case 'DELETE': {
      requireVerb(route, 'deletecollection');
      if (!writable) throw methodNotAllowed();
      return deleteCollection(context, route);
    }
    default:
      throw methodNotAllowed();
  }
}

async function handleObject(context: Context, route: Route, name: string): Promise<void> {
  const { objects, query, request, response } = context;
  const { kind, namespace } = route;
  const target = { kind, namespace, name, subresource: route.subresource, dryRun: isDryRun(query) };
  switch (request.method) {
    case 'GET': {
      if (booleanOf(query, 'watch')) return watch(context, route);
      requireVerb(route, 'get');
      const entry = objects.entry(kind, namespace, name);
      if (entry === undefined) throw notFound(kind, name);
      return sendJson(response, 200, renderOne(kind, entry, rendering(context)));
    }
    case 'PUT': {
      requireVerb(route, 'update');
      return sendJson(response, 200, renderOne(kind, updateObject(objects, target, await readJson(request)), rendering(context)));
    }
    case 'PATCH': {
      requireVerb(route, 'patch');
      const entry = patchObject(objects, target, contentTypeOf(request), await readJson(request));
      return sendJson(response, 200, renderOne(kind, entry, rendering(context)));
    }
    case 'DELETE': {
      requireVerb(route, 'delete');
      const options = deleteOptions(query, await readJson(request));
      const { entry, pending } = deleteObject(objects, kind, namespace, name, options, context.now());
      if (pending || kind.answersDeleted) return sendJson(response, 200, renderOne(kind, entry, rendering(context)));
      const details = { name, ...(kind.group !== '' && { group: kind.group }), kind: kind.plural, uid: entry.object.metadata.uid };
      return sendJson(response, 200, JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }));
    }
    default:
      throw methodNotAllowed();
  }
}

async function handleSubresource(context: Context, route: Route, name: string, subresource: string): Promise<void> {
  const { objects, query, request, response } = context;
  const { namespace } = route;
  switch (subresource) {
    case 'status':
    case 'finalize':
      if (request.method === 'DELETE') throw methodNotAllowed();
      return handleObject(context, route, name);
    case 'log':
      if (request.method !== 'GET') throw methodNotAllowed();
      return serveLog(objects, context.node(), { namespace, name }, query, response, context.now());
    case 'eviction':
      if (request.method !== 'POST') throw methodNotAllowed();
      return evict(context, namespace, name);
    case 'exec':
    case 'portforward':
      throw badRequest('Upgrade request required');
    default:
      throw notImplemented(`pods/${subresource}`);
  }
}

/** Without disruption budgets an eviction is a deletion that says why. */
async function evict({ objects, request, response, now }: Context, namespace: string | undefined, name: string): Promise<void> {
  const body = await readJson(request);
  const options = deleteOptions(new URLSearchParams(), isTree(body) ? body['deleteOptions'] : undefined);
  if (objects.get(pods, namespace, name) === undefined) throw notFound(pods, name);
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: now(),
  };
  objects.update<V1Pod>(pods, namespace, name, (pod) => {
    pod.status = {
      ...pod.status,
      conditions: [...(pod.status?.conditions ?? []).filter(({ type }) => type !== condition.type), condition],
    };
  });
  deleteObject(objects, pods, namespace, name, options, now());
  sendJson(response, 201, JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }));
}

async function deleteCollection(context: Context, { kind, namespace }: Route): Promise<void> {
  const { objects, query, request, response } = context;
  const options = deleteOptions(query, await readJson(request));
  const selection = selectionOf(kind, query);
  const entries = objects.entries(kind, namespace).filter(({ object }) => selects(selection, object));
  const { preconditions: _one, ...each } = options;
  const deleted = entries.map(
    ({ object }) => deleteObject(objects, kind, object.metadata.namespace, object.metadata.name ?? '', each, context.now()).entry,
  );
  sendJson(response, 200, renderList(kind, deleted, { resourceVersion: String(objects.revision) }, rendering(context)));
}

function watch(context: Context, route: Route): void {
  requireVerb(route, 'watch');
  const { form, include } = rendering(context);
  serveWatch(context.objects, route, context.query, { response: context.response, render: { form, include }, now: context.now });
}

function rendering({ request, query, now }: Context): Rendering {
  const include = query.get('includeObject');
  return { form: formOf(request.headers.accept), include: include === 'None' || include === 'Object' ? include : 'Metadata', now: now() };
}

function isDryRun(query: URLSearchParams): boolean {
  const value = query.get('dryRun');
  if (value !== null && value !== '' && value !== 'All')
    throw badRequest(`Invalid value: [${JSON.stringify(value)}]: Unsupported value: ${JSON.stringify(value)}: supported values: "All"`);
  return value === 'All';
}

const POLICIES = ['Background', 'Foreground', 'Orphan'] as const;

/** `DeleteOptions` of the body, over which the query counts. */
function deleteOptions(query: URLSearchParams, body: unknown): DeleteOptions {
  const given = isTree(body) ? body : {};
  const preconditions = isTree(given['preconditions']) ? given['preconditions'] : {};
  const { uid, resourceVersion } = preconditions;
  const grace = integerOf(query, 'gracePeriodSeconds') ?? given['gracePeriodSeconds'];
  const policy = query.get('propagationPolicy') ?? given['propagationPolicy'];
  return {
    ...(typeof grace === 'number' && { gracePeriodSeconds: grace }),
    preconditions: { ...(typeof uid === 'string' && { uid }), ...(typeof resourceVersion === 'string' && { resourceVersion }) },
    propagationPolicy: POLICIES.find((item) => item === policy),
    dryRun: isDryRun(query) || (Array.isArray(given['dryRun']) && given['dryRun'].includes('All')),
  };
}
