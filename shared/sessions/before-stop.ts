/**
 * The session's own last word: a command that runs in its pod before that goes, within the grace period. It never stands in the way: what
 * goes wrong with it is told in the session's history.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { createHelperClient } from '../helper/client.ts';
import type { ExecutionRecord } from '../helper/client-executions.ts';
import type { SessionDocument } from './model.ts';
import { podTarget } from './session-helper.ts';

/** Nobody reads it. */
const OUTPUT_BYTES = 64 * 1024;
/** To reach the pod, and to hear of the end. */
const REACH_MS = 5000;

export function hasToRunBeforeStop(session: SessionDocument): boolean {
  return session.spec.before_stop !== null && session.pod_uid !== null;
}

/**
 * Answers what went wrong, in words; `undefined` where nothing did, or there is nothing to run. The execution's id is the pod's
 * generation, and the helper runs an id once: who comes second joins the first. Never throws.
 */
export async function runBeforeStop(deps: Deps, session: SessionDocument, signal: AbortSignal): Promise<string | undefined> {
  const { before_stop: argv, grace_period_seconds: graceSeconds } = session.spec;
  if (argv === null || session.pod_uid === null) return undefined;
  using deadline = startDeadline(graceSeconds * 1000 + REACH_MS, signal);
  try {
    if (!(await isThere(deps, session))) return undefined;
    const target = podTarget(deps, session, session.pod_uid);
    const client = createHelperClient((opening) => deps.helpers.channel(target, opening));
    const spec = { argv, timeoutMs: graceSeconds * 1000, outputLimitBytes: OUTPUT_BYTES };
    for await (const record of client.executions.run(`before-stop-${session.generation}`, spec, { signal: deadline.signal })) {
      if (record.type === 'end') return noteOf(record, graceSeconds);
    }
    return 'before_stop: nobody knows how it ended';
  } catch (error) {
    deps.log.log('warn', 'before_stop could not be run', { component: 'sessions', action: 'before_stop', session_id: session.id, error });
    return `before_stop could not be run: ${error instanceof AppError ? error.detail : 'the pod could not be reached'}`;
  }
}

/** A pod that is on its way out has run it, or is beyond reach. */
async function isThere(deps: Deps, session: SessionDocument): Promise<boolean> {
  const { core } = await deps.kubernetes();
  const list = await core.listNamespacedPod({ namespace: session.k8s_namespace, fieldSelector: `metadata.name=${session.pod_name}` });
  return list.items.some((pod: V1Pod) => pod.metadata?.uid === session.pod_uid && pod.metadata?.deletionTimestamp === undefined);
}

function noteOf(record: Extract<ExecutionRecord, { readonly type: 'end' }>, graceSeconds: number): string | undefined {
  if (record.end === 'timed_out') return `before_stop was not done within ${graceSeconds} s`;
  if (record.end !== 'exited') return `before_stop: ${record.end}`;
  return record.exit_code === 0 ? undefined : `before_stop ended with exit code ${record.exit_code}`;
}
