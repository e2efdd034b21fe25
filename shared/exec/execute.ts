/**
 * Runs one command in a session's pod and answers with what it printed.
 *
 * It goes straight over the Kubernetes exec stream, which cannot end a process: at the time limit the stream is closed and the command
 * is left behind. The helper in the pod will take this over.
 *
 * @module
 */
import { startDeadline } from '../deadline.ts';
import type { Deps } from '../deps.ts';
import { AppError } from '../errors/app-error.ts';
import { isNotFound, statusOf, translateKubernetesError } from '../kubernetes/errors.ts';
import type { ExecExit, ExecStream } from '../kubernetes/port.ts';
import { containerName } from '../pods/names.ts';
import { changeSession, invalidState } from '../sessions/change.ts';
import { bounds } from '../sessions/create-request.ts';
import type { SessionDocument } from '../sessions/model.ts';
import { Capture } from './capture.ts';
import { commandLine } from './command.ts';
import type { ExecuteRequest, ExecutionEnd, ExecutionResult } from './execute-request.ts';

/** What is read of a stream before the command is given up; `bounds.executionOutputBytes` of it are kept. */
const FLOOD_BYTES = 8 * bounds.executionOutputBytes;
const UNKNOWN_EXIT_CODE = -1;
/** What kubelet and container runtimes say of a container that is between two runs: the command was not started. */
const NOT_RUNNING =
  /container not found|container \S+ is not (?:running|created)|container is not created or running|does not have a host assigned/;

/**
 * `signal` is the caller's: aborting it closes the stream. Throws `AppError`: `invalid_state` where the session is not running,
 * `pod_restarting`, `cluster_unavailable` where the command was not started.
 */
export async function execute(
  deps: Deps,
  session: SessionDocument,
  request: ExecuteRequest,
  signal: AbortSignal,
): Promise<ExecutionResult> {
  refuseUnbuilt(request);
  if (session.status !== 'running') throw invalidState(session, 'execute');
  const startedAt = performance.now();
  using timeout = startDeadline((request.timeout ?? bounds.executionSeconds.default) * 1000);
  const flood = new AbortController();
  const stream = await start(deps, session, request, AbortSignal.any([signal, timeout.signal, flood.signal])).catch((error: unknown) => {
    if (timeout.signal.aborted) return undefined;
    throw error;
  });
  if (stream === undefined) return notStartedInTime(startedAt);
  const limits = { keepBytes: bounds.executionOutputBytes, readBytes: FLOOD_BYTES };
  const stdout = new Capture(stream.stdout, limits, () => flood.abort());
  const stderr = new Capture(stream.stderr, limits, () => flood.abort());
  // A command may end without reading its input; that is no failure of the execution.
  stream.stdin.on('error', () => {});
  if (request.stdin !== undefined) stream.stdin.end(request.stdin);
  const exit = await stream.exit;
  if (exit.type === 'failed' && NOT_RUNNING.test(exit.message)) throw restarting(exit.message);
  const end = await endOf(deps, session, exit, { timedOut: timeout.signal.aborted, flooded: flood.signal.aborted });
  const durationMs = Math.round(performance.now() - startedAt);
  deps.metrics.count('berth_executions_total', { end });
  deps.metrics.observe('berth_execution_seconds', durationMs / 1000);
  return answer(exit, end, durationMs, stdout, stderr);
}

function refuseUnbuilt(request: ExecuteRequest): void {
  const path = request.async_execution === true ? 'async_execution' : 'run_in';
  if (request.async_execution !== true && request.run_in !== 'job') return;
  throw new AppError('not_implemented', 'Jobs are not built yet; nothing was run.', {
    errors: [{ path, message: 'not built yet; leave it out' }],
  });
}

async function start(deps: Deps, session: SessionDocument, request: ExecuteRequest, signal: AbortSignal): Promise<ExecStream> {
  const kubernetes = await deps.kubernetes();
  try {
    return await kubernetes.exec({
      namespace: session.k8s_namespace,
      pod: session.pod_name,
      container: containerName,
      command: commandLine(request),
      stdin: request.stdin !== undefined,
      signal,
    });
  } catch (error) {
    if (isNotFound(error)) throw await podLost(deps, session, error);
    if (NOT_RUNNING.test(statusOf(error)?.message ?? '')) throw restarting(error);
    throw translateKubernetesError(error);
  }
}

/** The time was over before the cluster had even taken the command. */
function notStartedInTime(startedAt: number): ExecutionResult {
  const nothing = { success: false, stdout: '', stderr: '', output: '', returncode: UNKNOWN_EXIT_CODE, truncated: false };
  return { ...nothing, end: 'timed_out', timed_out: true, duration_ms: Math.round(performance.now() - startedAt) };
}

function restarting(cause: unknown): AppError {
  return new AppError('pod_restarting', "The session's container is restarting.", { cause, retryAfterSeconds: 1 });
}

async function podLost(deps: Deps, session: SessionDocument, cause: unknown): Promise<AppError> {
  const reason = 'the pod is gone';
  const result = await changeSession(deps, session.id, { type: 'pod_lost', reason, podUid: session.pod_uid });
  const now = result?.session ?? session;
  return now.status === 'running' ? new AppError('conflict', "The session's pod is gone.", { cause }) : invalidState(now, 'execute');
}

async function endOf(
  deps: Deps,
  session: SessionDocument,
  exit: ExecExit,
  cut: { readonly timedOut: boolean; readonly flooded: boolean },
): Promise<ExecutionEnd> {
  if (exitCodeOf(exit) !== undefined) return 'exited';
  if (cut.flooded) return 'output_limit';
  if (cut.timedOut) return 'timed_out';
  return (await podIsGone(deps, session)) ? 'pod_gone' : 'connection_lost';
}

/** Whether the pod that the command ran in is gone, or its container was restarted: then the command is gone with it. */
async function podIsGone(deps: Deps, session: SessionDocument): Promise<boolean> {
  try {
    const { core } = await deps.kubernetes();
    const pod = await core.readNamespacedPod({ name: session.pod_name, namespace: session.k8s_namespace });
    const running = pod.status?.containerStatuses?.some((status) => status.state?.running !== undefined) ?? false;
    return pod.metadata?.uid !== session.pod_uid || pod.metadata?.deletionTimestamp !== undefined || !running;
  } catch (error) {
    return isNotFound(error);
  }
}

/**
 * The exit code, as a shell would give it where the command could not be started: 127 for one that does not exist, 126 for one that
 * may not be run. `undefined` where nobody knows how the command ended.
 */
function exitCodeOf(exit: ExecExit): number | undefined {
  if (exit.type === 'exited') return exit.exitCode;
  if (exit.type === 'lost') return undefined;
  if (/executable file not found|no such file or directory/.test(exit.message)) return 127;
  return /permission denied|exec format error|is a directory/.test(exit.message) ? 126 : undefined;
}

function answer(exit: ExecExit, end: ExecutionEnd, durationMs: number, out: Capture, err: Capture): ExecutionResult {
  const stdout = out.result();
  const stderr = err.result();
  const returncode = exitCodeOf(exit) ?? UNKNOWN_EXIT_CODE;
  const errorText = exit.type === 'failed' ? `${stderr.text}${exit.message}\n` : stderr.text;
  return {
    success: end === 'exited' && returncode === 0,
    stdout: stdout.text,
    stderr: errorText,
    returncode,
    output: stdout.text + errorText,
    end,
    duration_ms: durationMs,
    truncated: stdout.truncated || stderr.truncated,
    timed_out: end === 'timed_out',
  };
}
