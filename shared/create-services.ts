/**
 * Joins the domains to what the routes ask for.
 *
 * @module
 */
import { z } from 'zod';
import { commandDigest, recordAudit } from './audit/record.ts';
import { createAutomationServices } from './create-automation-services.ts';
import { createUserServices } from './create-user-services.ts';
import type { Caller } from './auth/caller.ts';
import type { Deps } from './deps.ts';
import { AppError } from './errors/app-error.ts';
import { execute } from './exec/execute.ts';
import type { ExecuteRequest } from './exec/execute-request.ts';
import { ExecutionSlots } from './exec/slots.ts';
import type { NamespaceView, Readiness, Services } from './http/services.ts';
import { deleteNamespace, listNamespaces } from './namespaces/list.ts';
import type { NamespaceDocument } from './namespaces/model.ts';
import { bounds } from './sessions/create-request.ts';
import { createSession } from './sessions/create.ts';
import { createActivityNotes } from './sessions/activity.ts';
import { sessionEvents, sessionLogs } from './sessions/events.ts';
import { expireSession } from './sessions/expire.ts';
import { createLifecycleServices } from './sessions/lifecycle-services.ts';
import { getSession, listSessions } from './sessions/list.ts';
import type { SessionDocument } from './sessions/model.ts';
import { provisionSession } from './sessions/provision-task.ts';
import { createStorageServices } from './storage/services.ts';
import { sweep } from './sweep/sweep.ts';
import { deliverWebhook } from './webhooks/deliver.ts';

const sessionTask = z.object({ session_id: z.string().min(1), within_seconds: z.int().min(1).optional() });

export function createServices(deps: Deps): Services {
  const slots = new ExecutionSlots(bounds.executionsPerSession);
  const activity = createActivityNotes(deps);
  const used = async (caller: Caller, id: string): Promise<SessionDocument> => {
    const session = await getSession(deps, caller, id);
    await activity.touch(session);
    return session;
  };
  return {
    ...createUserServices(deps),
    ...createAutomationServices(deps),
    ...createStorageServices(deps),
    ...createLifecycleServices(deps, activity),
    createSession: (caller, request, options) => createSession(deps, caller, request, options),
    getSession: (caller, id) => getSession(deps, caller, id),
    listSessions: (caller, filters) => listSessions(deps, caller, filters),
    sessionEvents: async (caller, id) => sessionEvents(deps, await used(caller, id)),
    sessionLogs: async (caller, id, options) => sessionLogs(deps, await used(caller, id), options),
    execute: async (caller, id, request, signal) => {
      const session = await getSession(deps, caller, id, 'write');
      const release = slots.take(id);
      // Before the command: who finds the session idle at this moment must see that it is used.
      await activity.touch(session);
      const noted = auditExecution(deps, caller, session, request);
      try {
        return await execute(deps, session, request, signal);
      } finally {
        await noted;
        await activity.touch(session);
        release();
      }
    },
    listNamespaces: async (caller, filters) => {
      const { namespaces, nextCursor } = await listNamespaces(deps, caller, filters);
      return { namespaces: namespaces.map(namespaceView), nextCursor };
    },
    deleteNamespace: async (caller, name) => {
      const user = await deleteNamespace(deps, caller, name);
      if (user !== undefined) await recordAudit(deps, { caller, user, action: 'namespace.delete', target: `namespaces/${name}` });
    },
    runTask: (target, payload, signal) => runTask(deps, target, payload, signal),
    sweep: async (options) => ({ ...(await sweep(deps, options)) }),
    readiness: () => readiness(deps),
  };
}

/** Beside the command, so that it costs no time of its own. */
function auditExecution(deps: Deps, caller: Caller, { id, user }: SessionDocument, request: ExecuteRequest): Promise<void> {
  const detail = commandDigest(request.command ?? request.argv ?? []);
  return recordAudit(deps, { caller, user, action: 'session.execute', target: `sessions/${id}`, detail });
}

function namespaceView(document: NamespaceDocument): NamespaceView {
  const { namespace, owner, k8s_namespace, sessions, created_at } = document;
  return { namespace, owner, k8s_namespace, sessions: Object.keys(sessions).length, created_at };
}

/** Throws `AppError` where the task has to come again. */
async function runTask(deps: Deps, target: string, payload: unknown, signal?: AbortSignal): Promise<void> {
  switch (target) {
    case 'provision': {
      const { session_id: id, within_seconds: within } = sessionTask.parse(payload);
      return provisionSession(deps, id, signal, within);
    }
    case 'expire': {
      const { session_id: id, within_seconds: within } = sessionTask.parse(payload);
      const outcome = await expireSession(deps, id, signal, within);
      if (outcome === 'again') throw new AppError('cluster_unavailable', 'The pod is not gone yet; the task has to come again.');
      return;
    }
    case 'webhook':
      return deliverWebhook(deps, payload, signal === undefined ? {} : { signal });
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
