/**
 * What the routes ask of the domains. `shared/create-services.ts` fills it; tests fill it with fakes.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { Config } from '../config.ts';
import type { ExecuteRequest, ExecutionResult } from '../exec/execute-request.ts';
import type { NamespaceFilters } from '../namespaces/list.ts';
import type { CreateSessionRequest } from '../sessions/create-request.ts';
import type { LogOptions, SessionEventEntry } from '../sessions/events.ts';
import type { LifecycleServices } from '../sessions/lifecycle-services.ts';
import type { SessionFilters } from '../sessions/query.ts';
import type { SessionDocument } from '../sessions/model.ts';
import type { AutomationServices } from './automation-services.ts';
import type { StorageServices } from '../storage/services.ts';
import type { UserServices } from './user-services.ts';

export interface CreateOptions {
  readonly idempotencyKey?: string;
  /** How long the answer may wait for the session to be ready. */
  readonly waitSeconds: number;
}

/** A namespace as its users see it. */
export interface NamespaceView {
  readonly namespace: string;
  readonly owner: string;
  readonly k8s_namespace: string;
  /** How many sessions need it now. */
  readonly sessions: number;
  readonly created_at: string;
}

export interface SweepOptions {
  /** Only says what would be done, of everything there is. */
  readonly dryRun?: boolean;
  /** Compares everything, whether that is due or not. */
  readonly full?: boolean;
}

/** What one pass of the sweep did: how often each kind of action was taken, and whatever else is worth a log line. */
export interface SweepReport {
  readonly actions: Readonly<Record<string, number>>;
  readonly [field: string]: unknown;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail?: string }>>;
  /** How pods are reached, and how many channels to them are open here. */
  readonly channel: { readonly mode: Config['podChannel']; readonly open: number };
  readonly warnings: readonly string[];
}

/** All of them throw `AppError`. */
export interface Services extends UserServices, AutomationServices, StorageServices, LifecycleServices {
  createSession(
    caller: Caller,
    request: CreateSessionRequest,
    options: CreateOptions,
  ): Promise<{ readonly session: SessionDocument; readonly replayed: boolean }>;
  getSession(caller: Caller, id: string): Promise<SessionDocument>;
  listSessions(
    caller: Caller,
    filters: SessionFilters,
  ): Promise<{ readonly sessions: readonly SessionDocument[]; readonly nextCursor: string | null }>;
  sessionEvents(caller: Caller, id: string): Promise<readonly SessionEventEntry[]>;
  sessionLogs(caller: Caller, id: string, options: LogOptions): Promise<string>;
  execute(caller: Caller, id: string, request: ExecuteRequest, signal: AbortSignal): Promise<ExecutionResult>;
  listNamespaces(
    caller: Caller,
    filters: NamespaceFilters,
  ): Promise<{ readonly namespaces: readonly NamespaceView[]; readonly nextCursor: string | null }>;
  deleteNamespace(caller: Caller, name: string): Promise<void>;
  /** One delivery of a task; resolving means that it is done and must not come again. */
  runTask(target: string, payload: unknown, signal?: AbortSignal): Promise<void>;
  sweep(options?: SweepOptions): Promise<SweepReport>;
  readiness(): Promise<Readiness>;
}
