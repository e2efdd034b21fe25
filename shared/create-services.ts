/**
 * Joins the domains to what the routes ask for.
 *
 * @module
 */
import { z } from 'zod';
import type { Deps } from './deps.ts';
import { AppError } from './errors/app-error.ts';
import { execute } from './exec/execute.ts';
import { ExecutionSlots } from './exec/slots.ts';
import type { NamespaceView, Readiness, Services } from './http/services.ts';
import { deleteNamespace, listNamespaces } from './namespaces/list.ts';
import type { NamespaceDocument } from './namespaces/model.ts';
import { bounds } from './sessions/create-request.ts';
import { createSession, provisionSession } from './sessions/create.ts';
import { deleteSession, expireSession } from './sessions/delete.ts';
import { sessionEvents, sessionLogs } from './sessions/events.ts';
import { getSession, listSessions } from './sessions/list.ts';
import { sweep } from './sweep/sweep.ts';
import { builtInTemplates } from './templates/catalog.ts';

const sessionTask = z.object({ session_id: z.string().min(1) });

export function createServices(deps: Deps): Services {
  const slots = new ExecutionSlots(bounds.executionsPerSession);
  return {
    createSession: (caller, request, options) => createSession(deps, caller, request, options),
    getSession: (caller, id) => getSession(deps, caller, id),
    listSessions: (caller, filters) => listSessions(deps, caller, filters),
    deleteSession: async (caller, id) => {
      const session = await getSession(deps, caller, id);
      const by = { by: caller.user ?? session.user, key_id: caller.keyId, request_id: caller.requestId };
      await deleteSession(deps, id, by);
    },
    sessionEvents: async (caller, id) => sessionEvents(deps, await getSession(deps, caller, id)),
    sessionLogs: async (caller, id, options) => sessionLogs(deps, await getSession(deps, caller, id), options),
    execute: async (caller, id, request, signal) => {
      const session = await getSession(deps, caller, id);
      const release = slots.take(id);
      try {
        return await execute(deps, session, request, signal);
      } finally {
        release();
      }
    },
    listNamespaces: async (caller) => (await listNamespaces(deps, caller)).map(namespaceView),
    deleteNamespace: (caller, name) => deleteNamespace(deps, caller, name),
    listTemplates: async () => builtInTemplates,
    runTask: (target, payload, signal) => runTask(deps, target, payload, signal),
    sweep: async () => ({ ...(await sweep(deps)) }),
    readiness: () => readiness(deps),
  };
}

function namespaceView(document: NamespaceDocument): NamespaceView {
  const { namespace, owner, k8s_namespace, sessions, created_at } = document;
  return { namespace, owner, k8s_namespace, sessions: Object.keys(sessions).length, created_at };
}

/** Throws `AppError` where the task has to come again. */
async function runTask(deps: Deps, target: string, payload: unknown, signal?: AbortSignal): Promise<void> {
  switch (target) {
    case 'provision':
      return provisionSession(deps, sessionTask.parse(payload).session_id, signal);
    case 'expire': {
      const outcome = await expireSession(deps, sessionTask.parse(payload).session_id, signal);
      if (outcome === 'again') throw new AppError('cluster_unavailable', 'The pod is not gone yet; the task has to come again.');
      return;
    }
    default:
      throw new AppError('not_implemented', `No task "${target}" is built yet.`);
  }
}

const READINESS_MS = 3000;

async function readiness(deps: Deps): Promise<Readiness> {
  const check = async (call: () => Promise<unknown>): Promise<{ ok: boolean; detail?: string }> => {
    const late = new Promise<never>((_resolve, reject) => {
      setTimeout(() => reject(new Error(`no answer within ${READINESS_MS / 1000} s`)), READINESS_MS).unref();
    });
    try {
      await Promise.race([call(), late]);
      return { ok: true };
    } catch (error) {
      deps.log.log('warn', 'readiness check failed', { component: 'readiness', error });
      return { ok: false, detail: error instanceof AppError ? error.detail : 'not reachable' };
    }
  };
  const [store, queue, cluster] = await Promise.all([
    check(() => deps.store.get({ collection: 'installation', id: 'identity' })),
    // Taking back a task that never was asks the queue and changes nothing.
    check(() => deps.queue.withdraw('readyz')),
    check(async () => (await deps.kubernetes()).version.getCode()),
  ]);
  return {
    ready: store.ok && queue.ok && cluster.ok,
    checks: { store, queue, cluster },
    channel: { mode: deps.config.podChannel, open: deps.helpers.size },
    warnings: deps.clusterWarnings,
  };
}
