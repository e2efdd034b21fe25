import type { Caller } from '../../shared/auth/caller.ts';
import { Secret } from '../../shared/auth/secret.ts';
import { usageOf } from '../../shared/entitlements/admit.ts';
import { entitlementsOf } from '../../shared/entitlements/limits.ts';
import type { UserView } from '../../shared/entitlements/users.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import type { ExecutionResult } from '../../shared/exec/execute-request.ts';
import type { Services } from '../../shared/http/services.ts';
import { builtInTemplates, findTemplate } from '../../shared/templates/catalog.ts';
import type { WebhookDocument } from '../../shared/webhooks/model.ts';
import { sessionDocument } from './session-document.ts';
import { snapshotDocument, volumeDocument } from './volume-document.ts';

export interface ServiceCall {
  readonly name: keyof Services;
  readonly arguments: readonly unknown[];
}

export const execution: ExecutionResult = {
  success: true,
  stdout: 'hi\n',
  stderr: '',
  returncode: 0,
  output: 'hi\n',
  end: 'exited',
  duration_ms: 3,
  truncated: false,
  timed_out: false,
};

const webhook: WebhookDocument = {
  id: 'hook1',
  user: 'alice',
  url: 'https://example.com/hook',
  description: null,
  events: [],
  secret: { key_id: 'k', nonce: 'n' },
  created_at: '2026-03-01T11:59:00.000Z',
  deliveries: [],
};

/** Services that answer something plausible and write down what they were asked; a test puts its own in place of some. */
export function fakeServices(replaced: Partial<Services> = {}): { readonly services: Services; readonly calls: ServiceCall[] } {
  const calls: ServiceCall[] = [];
  const plausible: Services = {
    createSession: (caller, request) =>
      Promise.resolve({
        session: sessionDocument({ user: request.user ?? userOf(caller), labels: request.labels ?? {} }),
        replayed: false,
      }),
    getSession: (_caller, id) =>
      id === sessionDocument().id
        ? Promise.resolve(sessionDocument())
        : Promise.reject(new AppError('not_found', `There is no session "${id}".`)),
    listSessions: () => Promise.resolve({ sessions: [sessionDocument()], nextCursor: 'next' }),
    deleteSession: () => Promise.resolve(),
    stopSession: () => Promise.resolve(sessionDocument({ status: 'stopped' })),
    startSession: () => Promise.resolve(sessionDocument()),
    restartSession: () => Promise.resolve(sessionDocument()),
    updateSession: (_caller, _id, { labels: _labels, ...update }) => Promise.resolve(sessionDocument(update)),
    ensureAnchored: (_caller, { kind, id }) => Promise.resolve({ session: sessionDocument({ [`${kind}_id`]: id }), created: true }),
    getAnchored: (_caller, { kind, id }) => Promise.resolve(sessionDocument({ [`${kind}_id`]: id })),
    deleteAnchored: () => Promise.resolve(),
    sessionEvents: () =>
      Promise.resolve([
        { at: '2026-03-01T11:59:00.000Z', source: 'berth', type: 'normal', reason: 'created', message: 'created', count: 1 },
      ]),
    sessionLogs: () => Promise.resolve('<b>line</b>\n'),
    execute: () => Promise.resolve(execution),
    listNamespaces: () =>
      Promise.resolve({
        namespaces: [
          { namespace: 'demo', owner: 'alice', k8s_namespace: 'berth-demo', sessions: 2, created_at: '2026-03-01T11:59:00.000Z' },
        ],
        nextCursor: null,
      }),
    deleteNamespace: () => Promise.resolve(),
    getUser: (_caller, user) => Promise.resolve(userView(user)),
    listUsers: () => Promise.resolve({ users: [userView('alice')], nextCursor: 'next' }),
    putUser: (_caller, user, { type, limits }) => Promise.resolve({ ...userView(user), type, limits }),
    deleteUser: () => Promise.resolve({ sessions: ['s1'], volumes: [], snapshots: [], keys: [] }),
    listGrants: () => Promise.resolve([{ user: 'bob', access: 'read' }]),
    putGrant: (_caller, _kind, _id, grant) => Promise.resolve(grant),
    deleteGrant: () => Promise.resolve(),
    listTemplates: () => Promise.resolve({ templates: builtInTemplates, nextCursor: null }),
    getTemplate: (_caller, id) => Promise.resolve(findTemplate(id)),
    putTemplate: (_caller, template) => Promise.resolve({ template, created: true }),
    deleteTemplate: () => Promise.resolve(),
    createWebhook: () => Promise.resolve({ webhook, secret: new Secret('whsec_a'), replayed: false }),
    listWebhooks: () => Promise.resolve({ webhooks: [webhook], nextCursor: null }),
    getWebhook: () => Promise.resolve(webhook),
    deleteWebhook: () => Promise.resolve(),
    listAudit: () => Promise.resolve({ entries: [], nextCursor: null }),
    handleChange: () => Promise.resolve('handled' as const),
    listVolumes: () => Promise.resolve({ volumes: [volumeDocument()], nextCursor: 'next' }),
    createVolume: () => Promise.resolve(volumeDocument({ status: 'creating' })),
    getVolume: () => Promise.resolve({ volume: volumeDocument(), claim: { phase: 'Bound', capacity_gb: 10 } }),
    updateVolume: () => Promise.resolve(volumeDocument({ size_gb: 20 })),
    deleteVolume: () => Promise.resolve('deleting'),
    listSnapshots: () => Promise.resolve({ snapshots: [snapshotDocument()], nextCursor: null }),
    takeSnapshot: () => Promise.resolve(snapshotDocument({ status: 'creating' })),
    getSnapshot: () => Promise.resolve(snapshotDocument()),
    removeSnapshot: () => Promise.resolve(),
    runTask: () => Promise.resolve(),
    sweep: () => Promise.resolve({ actions: { delete_pod: 1 } }),
    readiness: () => Promise.resolve({ ready: true, checks: { store: { ok: true } }, channel: { mode: 'exec', open: 0 }, warnings: [] }),
    ...replaced,
  };
  return { services: recorded(plausible, calls), calls };
}

function userView(user: string): UserView {
  return {
    user,
    type: 'normal',
    limits: {},
    entitlements: entitlementsOf('normal'),
    usage: usageOf({}),
    created_at: '2026-03-01T11:59:00.000Z',
    deleted_at: null,
  };
}

function userOf(caller: Caller): string {
  return caller.user ?? 'nobody';
}

function recorded(services: Services, calls: ServiceCall[]): Services {
  return new Proxy(services, {
    get(target, property, receiver): unknown {
      const value: unknown = Reflect.get(target, property, receiver);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]): unknown => {
        calls.push({ name: property as keyof Services, arguments: given });
        return Reflect.apply(value, target, given);
      };
    },
  });
}
