/**
 * The document of a session that is about to be admitted.
 *
 * @module
 */
import type { Caller } from '../auth/caller.ts';
import type { Deps } from '../deps.ts';
import { kubernetesNamespace, ownNamespace } from '../namespaces/names.ts';
import { podName } from '../pods/names.ts';
import type { Anchor } from './anchors.ts';
import type { CreateSessionRequest } from './create-request.ts';
import { withDue } from './due.ts';
import { byCaller } from './change.ts';
import type { SessionDocument } from './model.ts';
import type { ResolvedSession } from './resolve.ts';
import { newHelper } from './session-helper.ts';

export interface NewSession {
  readonly caller: Caller;
  /** Whom it is for. */
  readonly user: string;
  readonly request: CreateSessionRequest;
  readonly resolved: ResolvedSession;
  readonly anchor?: Anchor;
}

/** As it is admitted: what depends on its owner's limits is filled in by the admission. */
export function newSession(deps: Deps, { caller, user, request, resolved, anchor }: NewSession): SessionDocument {
  const now = deps.clock.now();
  const id = deps.newId();
  const namespace = request.namespace ?? ownNamespace(user);
  const after = (seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString();
  const by = byCaller(caller, user);
  const warnings = [...deps.clusterWarnings, ...resolved.warnings];
  if (request.user_type !== undefined && caller.kind !== 'admin') warnings.push('user_type counts only from an admin key.');
  return withDue({
    id,
    user,
    user_type: deps.config.defaultUserType,
    namespace,
    k8s_namespace: kubernetesNamespace(deps.config.namespacePrefix, deps.installation, namespace),
    name: request.name ?? null,
    labels: request.labels ?? {},
    workspace_id: request.workspace_id ?? null,
    ...anchorIds(request, anchor),
    template: resolved.template,
    resource_tier: resolved.resourceTier,
    spec: { ...resolved.spec, active_deadline_seconds: resolved.ttlMinutes * 60 },
    warnings,
    idle_timeout_minutes: resolved.idleTimeoutMinutes,
    // A project's next session finds what the one before left.
    preserve_data: request.preserve_data ?? anchor !== undefined,
    grants: {},
    status: 'creating',
    reason: null,
    generation: 1,
    helper: newHelper(deps),
    pod_name: podName(id),
    pod_uid: null,
    node_name: null,
    channel: null,
    pod_losses: [],
    created_at: now.toISOString(),
    updated_at: now.toISOString(),
    started_at: null,
    ttl_minutes: resolved.ttlMinutes,
    expires_at: after(resolved.ttlMinutes * 60),
    start_deadline: after(resolved.spec.start_deadline_seconds),
    stopped_at: null,
    restarts: false,
    due_at: null,
    terminated_at: null,
    purge_at: null,
    last_change: by,
    history: [{ at: now.toISOString(), type: 'creating', message: `Admitted for user ${user}` }],
  });
}

/** Those that the body gives are kept as well: the project is what counts where there are both. */
function anchorIds(request: CreateSessionRequest, anchor: Anchor | undefined): Pick<SessionDocument, 'project_id' | 'conversation_id'> {
  if (anchor === undefined) return { project_id: null, conversation_id: null };
  if (anchor.kind === 'project') return { project_id: anchor.id, conversation_id: request.conversation_id ?? null };
  return { project_id: null, conversation_id: anchor.id };
}
