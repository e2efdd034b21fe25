/**
 * Startup, readiness and liveness probes of a container.
 *
 * @module
 */
import { createConnection } from 'node:net';
import { text } from 'node:stream/consumers';
import type { V1Container, V1Probe } from '@kubernetes/client-node';
import type { RunningContainer } from '../runtime/port.ts';
import { pause } from '../timers.ts';

type ProbeKind = 'Startup' | 'Readiness' | 'Liveness';

export interface ProbeTarget {
  readonly container: V1Container;
  readonly running: RunningContainer;
  readonly address: string;
}

export interface ProbeListener {
  /** Each single failure, for an event. */
  readonly onFailure: (message: string) => void;
  /** The container is to be started again. */
  readonly onUnhealthy: (kind: 'startup' | 'liveness') => void;
  readonly onState: (state: { readonly started: true; readonly ready: boolean }) => void;
}

/** All probes of a container, while it runs: the others wait for the startup probe to pass. Never rejects. */
export async function probeContainer(target: ProbeTarget, listener: ProbeListener, signal: AbortSignal): Promise<void> {
  const { startupProbe, livenessProbe, readinessProbe } = target.container;
  const { onFailure, onUnhealthy, onState } = listener;
  const repeat = async (kind: ProbeKind, probe: V1Probe | undefined, onChange: (passes: boolean) => void): Promise<void> => {
    if (probe !== undefined) await repeatProbe(kind, probe, target, { onChange, onFailure }, signal);
  };
  await repeat('Startup', startupProbe, (passes) => (passes ? undefined : onUnhealthy('startup')));
  if (signal.aborted) return;
  if (startupProbe !== undefined) onState({ started: true, ready: readinessProbe === undefined });
  await Promise.all([
    repeat('Liveness', livenessProbe, (passes) => (passes ? undefined : onUnhealthy('liveness'))),
    repeat('Readiness', readinessProbe, (passes) => onState({ started: true, ready: passes })),
  ]);
}

interface RepeatListener {
  /** The outcome changed, by the probe's thresholds. */
  readonly onChange: (passes: boolean) => void;
  readonly onFailure: (message: string) => void;
}

/** Until the signal is aborted; a startup probe, until it passes. */
async function repeatProbe(
  kind: ProbeKind,
  probe: V1Probe,
  target: ProbeTarget,
  { onChange, onFailure }: RepeatListener,
  signal: AbortSignal,
): Promise<void> {
  const { initialDelaySeconds = 0, periodSeconds = 10, timeoutSeconds = 1, failureThreshold = 3, successThreshold = 1 } = probe;
  let successes = 0;
  let failures = 0;
  let passes: boolean | undefined;
  await pause(initialDelaySeconds * 1000, signal);
  while (!signal.aborted) {
    const problem = await checkOnce(probe, target, timeoutSeconds * 1000);
    if (signal.aborted) return;
    successes = problem === undefined ? successes + 1 : 0;
    failures = problem === undefined ? 0 : failures + 1;
    if (problem !== undefined) onFailure(`${kind} probe failed: ${problem}`);
    const now = decide(successes >= successThreshold, failures >= failureThreshold, passes);
    if (now !== undefined && now !== passes) onChange(now);
    passes = now;
    if (kind === 'Startup' && passes === true) return;
    await pause(periodSeconds * 1000, signal);
  }
}

function decide(enoughSuccesses: boolean, enoughFailures: boolean, before: boolean | undefined): boolean | undefined {
  if (enoughSuccesses) return true;
  return enoughFailures ? false : before;
}

/** What is wrong, or `undefined`. */
async function checkOnce(probe: V1Probe, target: ProbeTarget, timeoutMs: number): Promise<string | undefined> {
  try {
    if (probe.exec) return await checkCommand(probe.exec.command ?? [], target.running, timeoutMs);
    if (probe.httpGet) return await checkHttp(probe.httpGet, target, timeoutMs);
    if (probe.tcpSocket)
      return await checkTcp(probe.tcpSocket.host ?? target.address, portNumber(target.container, probe.tcpSocket.port), timeoutMs);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function checkCommand(command: readonly string[], running: RunningContainer, timeoutMs: number): Promise<string | undefined> {
  const process = await running.exec({ command, stdin: false, stdout: true, stderr: true, tty: false });
  const output = Promise.all([process.stdout, process.stderr].map(async (stream) => (stream === undefined ? '' : text(stream))));
  const late = AbortSignal.timeout(timeoutMs);
  const timeout = new Promise<'timeout'>((resolve) => late.addEventListener('abort', () => resolve('timeout')));
  const code = await Promise.race([process.exitCode, timeout]);
  if (code === 'timeout') return `command timed out: ${command.join(' ')} timed out after ${timeoutMs / 1000}s`;
  return code === 0 ? undefined : (await output).join('');
}

async function checkHttp(action: NonNullable<V1Probe['httpGet']>, target: ProbeTarget, timeoutMs: number): Promise<string | undefined> {
  const { host = target.address, path = '/', port, scheme = 'HTTP', httpHeaders = [] } = action;
  const url = new URL(path, `${scheme.toLowerCase()}://${host}:${portNumber(target.container, port)}`);
  const headers = Object.fromEntries(httpHeaders.map(({ name, value }) => [name, value]));
  const response = await fetch(url, { headers, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
  await response.body?.cancel();
  return response.status >= 200 && response.status < 400 ? undefined : `HTTP probe failed with statuscode: ${response.status}`;
}

async function checkTcp(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: timeoutMs });
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', () => end(undefined));
    socket.once('timeout', () => end(`dial tcp ${host}:${port}: i/o timeout`));
    socket.once('error', (error) =>
      end('code' in error && error.code === 'ECONNREFUSED' ? `dial tcp ${host}:${port}: connect: connection refused` : error.message),
    );
  });
}

/** A probe may name a port of the container. */
function portNumber(container: V1Container, port: number | string): number {
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  return named ?? Number(port);
}
