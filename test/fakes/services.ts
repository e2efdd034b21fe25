import type { Caller } from '../../shared/auth/caller.ts';
import { AppError } from '../../shared/errors/app-error.ts';
import type { ExecutionResult } from '../../shared/exec/execute-request.ts';
import type { Services } from '../../shared/http/services.ts';
import { builtInTemplates } from '../../shared/templates/catalog.ts';
import { sessionDocument } from './session-document.ts';

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
    sessionEvents: () =>
      Promise.resolve([
        { at: '2026-03-01T11:59:00.000Z', source: 'berth', type: 'normal', reason: 'created', message: 'created', count: 1 },
      ]),
    sessionLogs: () => Promise.resolve('<b>line</b>\n'),
    execute: () => Promise.resolve(execution),
    listNamespaces: () =>
      Promise.resolve([
        { namespace: 'demo', owner: 'alice', k8s_namespace: 'berth-demo', sessions: 2, created_at: '2026-03-01T11:59:00.000Z' },
      ]),
    deleteNamespace: () => Promise.resolve(),
    listTemplates: () => Promise.resolve(builtInTemplates),
    runTask: () => Promise.resolve(),
    sweep: () => Promise.resolve({ actions: { delete_pod: 1 } }),
    readiness: () => Promise.resolve({ ready: true, checks: { store: { ok: true } }, channel: { mode: 'exec', open: 0 }, warnings: [] }),
    ...replaced,
  };
  return { services: recorded(plausible, calls), calls };
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
