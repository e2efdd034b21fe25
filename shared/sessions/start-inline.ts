/**
 * A start within the request that asked for it, with the tasks that finish it where the request does not.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { enqueueExpire } from './expire-task.ts';
import type { SessionDocument } from './model.ts';
import { creatingGraceMs, PREPARE_MS, SAFETY_NET_MS } from './patience.ts';
import { enqueueProvision, ensureProvisionTask } from './provision-task.ts';
import { prepare, provision } from './provision.ts';

/** Values of `env`; `undefined` where they are in their Secret already. */
type Env = Readonly<Record<string, string>> | undefined;

/**
 * Does the work within the request; the client's own connection plays no part: a client that hangs up changes nothing. Answers the
 * session as it is after `waitMs` at the latest. Throws what Kubernetes throws.
 */
export async function startInline(deps: Deps, session: SessionDocument, env: Env, waitMs: number): Promise<SessionDocument> {
  if (session.status !== 'creating') return session;
  const startedAt = performance.now();
  const hasValues = env !== undefined && session.spec.env_names.length > 0;
  // The inline work goes first; the task finds it done, or does it where we died, or when the caller does not wait any longer.
  const netMs = hasValues ? creatingGraceMs(session.spec) : Math.min(waitMs, SAFETY_NET_MS);
  const [started] = await Promise.all([
    prepareAndWait(deps, session, hasValues ? env : undefined, waitMs),
    enqueueProvision(deps, session, new Date(deps.clock.now().getTime() + netMs)),
    enqueueExpire(deps, session),
  ]);
  if (started.status === 'running') deps.metrics.observe('berth_session_start_seconds', (performance.now() - startedAt) / 1000);
  if (started.status === 'creating' && hasValues) await ensureProvisionTask(deps, session.id);
  return started;
}

async function prepareAndWait(deps: Deps, session: SessionDocument, env: Env, waitMs: number): Promise<SessionDocument> {
  if (env !== undefined) {
    using safe = startDeadline(PREPARE_MS);
    await prepare(deps, session.id, { env, signal: safe.signal });
  }
  if (waitMs === 0) return session;
  using deadline = startDeadline(waitMs);
  return (await provision(deps, session.id, { ...(env === undefined ? {} : { env }), signal: deadline.signal })) ?? session;
}
