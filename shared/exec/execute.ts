/**
 * Runs one command in a session's pod, by the helper there, and answers with what it printed.
 *
 * The helper holds the time limit and ends what the command started; an abort here resets the execution's stream, which does the same.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import type { ErrorCode } from '../errors/catalog.ts';
import { createHelperClient } from '../helper/client.ts';
import type { ExecutionRecord, ExecutionSpec } from '../helper/client-executions.ts';
import { restarting } from '../helper/opening.ts';
import { isNotFound } from '../kubernetes/errors.ts';
import { invalidState } from '../sessions/change.ts';
import { bounds } from '../sessions/create-request.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { recordPodLoss } from '../sessions/pod-loss.ts';
import { podTarget } from '../sessions/session-helper.ts';
import { Capture } from './capture.ts';
import type { ExecuteRequest, ExecutionEnd, ExecutionResult } from './execute-request.ts';

/** What is read of a stream before the command is ended; `bounds.executionOutputBytes` of it are kept. */
const FLOOD_BYTES = 8 * bounds.executionOutputBytes;
const UNKNOWN_EXIT_CODE = -1;
/** The helper answers within 3 s of the limit (2 s of them between TERM and KILL); past this it is not there any more. */
const LATE_MS = 10_000;

/** Why a pod could not be reached, where it may be that it is not there any more, or ended. */
const MAY_BE_GONE: ReadonlySet<ErrorCode> = new Set(['helper_unreachable', 'helper_connection_lost', 'conflict', 'pod_restarting']);

/** How the helper, or the loss of it, ended the execution. */
interface Outcome {
  readonly end: ExecutionEnd;
  readonly exitCode: number;
  /** Why the command could not be run, in words. */
  readonly message: string | null;
}

/**
 * `signal` is the caller's: aborting it ends the command. Throws `AppError`: `invalid_state` where the session is not running;
 * `pod_restarting`, `cluster_unavailable`, `helper_unreachable`, `helper_outdated`, `too_many_executions` where the command was not
 * started; `helper_protocol_error`.
 */
export async function execute(
  deps: Deps,
  session: SessionDocument,
  request: ExecuteRequest,
  signal: AbortSignal,
): Promise<ExecutionResult> {
  refuseUnbuilt(request);
  if (session.status !== 'running' || session.pod_uid === null) throw invalidState(session, 'execute');
  const startedAt = performance.now();
  // Whole, and never 0: that means no limit to the helper.
  const timeoutMs = Math.ceil((request.timeout ?? bounds.executionSeconds.default) * 1000);
  using late = startDeadline(timeoutMs + LATE_MS, signal);
  const stdout = new Capture(bounds.executionOutputBytes);
  const stderr = new Capture(bounds.executionOutputBytes);
  const outcome = await run(deps, session, request, timeoutMs, { stdout, stderr }, late.signal);
  signal.throwIfAborted();
  const durationMs = Math.round(performance.now() - startedAt);
  deps.metrics.count('berth_executions_total', { end: outcome.end });
  deps.metrics.observe('berth_execution_seconds', durationMs / 1000);
  return answer(outcome, durationMs, stdout, stderr);
}

function refuseUnbuilt(request: ExecuteRequest): void {
  const path = request.async_execution === true ? 'async_execution' : 'run_in';
  if (request.async_execution !== true && request.run_in !== 'job') return;
  throw new AppError('not_implemented', 'Jobs are not built yet; nothing was run.', {
    errors: [{ path, message: 'not built yet; leave it out' }],
  });
}

/** `command` runs by `sh -c`, `argv` as it is. */
function specOf(request: ExecuteRequest, timeoutMs: number): ExecutionSpec {
  return {
    argv: request.command === undefined ? (request.argv ?? []) : ['sh', '-c', request.command],
    timeoutMs,
    outputLimitBytes: FLOOD_BYTES,
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    ...(request.env === undefined ? {} : { env: request.env }),
  };
}

async function run(
  deps: Deps,
  session: SessionDocument,
  request: ExecuteRequest,
  timeoutMs: number,
  output: { readonly stdout: Capture; readonly stderr: Capture },
  signal: AbortSignal,
): Promise<Outcome> {
  const target = podTarget(deps, session, session.pod_uid ?? '');
  const client = createHelperClient((opening) => deps.helpers.channel(target, opening));
  const stdin = request.stdin === undefined ? {} : { stdin: Buffer.from(request.stdin) };
  let started = false;
  try {
    for await (const record of client.executions.run(deps.newId(), specOf(request, timeoutMs), { ...stdin, signal })) {
      if (record.type === 'started') started = true;
      else if (record.type === 'end') return await outcomeOf(deps, session, record);
      else {
        const capture = output[record.type];
        capture.take(record.bytes);
        // The helper holds this limit; what imitates it need not.
        if (capture.takenBytes > FLOOD_BYTES) return { end: 'output_limit', exitCode: UNKNOWN_EXIT_CODE, message: null };
      }
    }
    return await lost(deps, session);
  } catch (error) {
    if (signal.aborted) return { end: 'timed_out', exitCode: UNKNOWN_EXIT_CODE, message: null };
    if (!(error instanceof AppError)) throw error;
    if (!started) throw await notStarted(deps, session, error);
    if (error.code === 'helper_protocol_error') throw error;
    return lost(deps, session);
  }
}

/** A connection may have been lost because the pod was. */
async function outcomeOf(deps: Deps, session: SessionDocument, record: Extract<ExecutionRecord, { type: 'end' }>): Promise<Outcome> {
  if (record.end === 'connection_lost') return lost(deps, session);
  return { end: record.end, exitCode: record.exit_code, message: record.message };
}

async function lost(deps: Deps, session: SessionDocument): Promise<Outcome> {
  const end = (await lookAtPod(deps, session)) === 'running' ? 'connection_lost' : 'pod_gone';
  return { end, exitCode: UNKNOWN_EXIT_CODE, message: null };
}

/** Why there is no way to the helper: the pod may be gone, or between two runs of its container. */
async function notStarted(deps: Deps, session: SessionDocument, error: AppError): Promise<AppError> {
  // The pod of a session from before there was a helper.
  if (error.code === 'helper_undeliverable' && session.helper === undefined) {
    return new AppError('helper_outdated', "The session's pod is from before there was a helper.", { cause: error });
  }
  if (!MAY_BE_GONE.has(error.code)) return error;
  const pod = await lookAtPod(deps, session);
  if (pod === 'running') return error.code === 'conflict' ? restarting(error) : error;
  if (pod === 'restarting') return restarting(error);
  const result = await recordPodLoss(deps, session, { type: 'pod_lost', reason: 'the pod is gone', podUid: session.pod_uid });
  const now = result?.session ?? session;
  if (now.status === 'creating') return restarting(error);
  return now.status === 'running' ? new AppError('conflict', "The session's pod is gone.", { cause: error }) : invalidState(now, 'execute');
}

/** Whether the pod that the command ran in is there, and its container runs. */
async function lookAtPod(deps: Deps, session: SessionDocument): Promise<'running' | 'restarting' | 'gone'> {
  try {
    const { core } = await deps.kubernetes();
    const pod = await core.readNamespacedPod({ name: session.pod_name, namespace: session.k8s_namespace });
    if (pod.metadata?.uid !== session.pod_uid || pod.metadata?.deletionTimestamp !== undefined) return 'gone';
    if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return 'gone';
    return pod.status?.containerStatuses?.some(({ state }) => state?.running !== undefined) === true ? 'running' : 'restarting';
  } catch (error) {
    // Where the cluster cannot be asked, nobody knows; the connection is what was lost.
    return isNotFound(error) ? 'gone' : 'running';
  }
}

function answer(outcome: Outcome, durationMs: number, out: Capture, err: Capture): ExecutionResult {
  const stdout = out.result();
  const stderr = err.result();
  const { end } = outcome;
  const errorText = outcome.message === null ? stderr.text : `${stderr.text}${outcome.message}\n`;
  return {
    success: end === 'exited' && outcome.exitCode === 0,
    stdout: stdout.text,
    stderr: errorText,
    returncode: outcome.exitCode,
    output: stdout.text + errorText,
    end,
    duration_ms: durationMs,
    truncated: stdout.truncated || stderr.truncated,
    timed_out: end === 'timed_out',
  };
}
