/**
 * The life of one container: pulled, created, started, probed, ended, started again.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { V1Container, V1ContainerStateTerminated } from '@kubernetes/client-node';
import { describeDelay, nextDelaySeconds, restarts } from '../back-off.ts';
import type { Image } from '../images.ts';
import { CONTAINER_PROCESS_RLIMIT } from '../limits/port.ts';
import type { ControlGroup } from '../limits/port.ts';
import { LogFile, removeLog } from '../logs/log-file.ts';
import { parseQuantity } from '../quantities.ts';
import { StartError } from '../runtime/port.ts';
import type { RunningContainer } from '../runtime/port.ts';
import { callAfter, pause } from '../timers.ts';
import { ConfigError, resolveConfig } from './container-config.ts';
import type { ContainerRecord } from './container-record.ts';
import { imageMounts, pullImage } from './image-pull.ts';
import { writeOomCount } from './oom-count.ts';
import type { PodContext } from './pod-context.ts';
import { probeContainer } from './probes.ts';
import { resolveMounts } from './volumes.ts';

/** How often the kubelet looks again at what it cannot start. */
const RETRY_MS = 10_000;
/**
 * TERM is lost on a PID 1 that has not set its handler yet. A real node takes longer to tell that a container runs than a program takes
 * to begin; here it is known at once.
 */
const SETTLE_MS = 100;
/** A process that escaped a plain container may hold its output open. */
const OUTPUT_MS = 1000;

interface Run {
  readonly running: RunningContainer;
  readonly group: ControlGroup | undefined;
  readonly log: LogFile;
  readonly startedAt: Date;
  readonly output: Promise<unknown>;
}

export class ContainerRunner {
  readonly container: V1Container;
  readonly record: ContainerRecord;
  /** Settles when the container will not run any more. Never rejects. */
  readonly done: Promise<void>;
  readonly #context: PodContext;
  readonly #restartPolicy: string | undefined;
  readonly #end = new AbortController();
  #run: Run | undefined;
  #hasRun: boolean;
  #cancelKill: (() => void) | undefined;

  /** Starts at once. `restartPolicy`: the pod's; an init container's is never `Always`. */
  constructor(context: PodContext, container: V1Container, record: ContainerRecord, restartPolicy: string | undefined) {
    this.#context = context;
    this.container = container;
    this.record = record;
    this.#restartPolicy = restartPolicy;
    this.#hasRun = record.lastState.terminated !== undefined;
    this.done = this.#live().catch((error: unknown) =>
      context.node.log(`container ${container.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    );
  }

  /** Its processes, while there are any. */
  get running(): RunningContainer | undefined {
    return this.#run?.running;
  }

  /** The log that is being written, while it runs. */
  get liveLog(): LogFile | undefined {
    return this.#run?.log;
  }

  /** Ends it for good: TERM, then KILL after the grace period; without grace KILL at once. A later call may shorten the time. */
  stop(graceMs: number): void {
    if (!this.#end.signal.aborted && this.#run !== undefined)
      this.#context.recordEvent('Normal', 'Killing', `Stopping container ${this.container.name}`);
    this.#end.abort();
    this.#endRun(graceMs);
  }

  #endRun(graceMs: number): void {
    this.#cancelKill?.();
    const run = this.#run;
    if (run === undefined) return;
    const kill = (): void => {
      run.group?.kill();
      run.running.kill();
    };
    if (graceMs <= 0) return kill();
    const age = this.#context.node.now().getTime() - run.startedAt.getTime();
    const cancelTerminate = callAfter(SETTLE_MS - age, () => run.running.terminate());
    const cancelKill = callAfter(graceMs, kill);
    this.#cancelKill = () => {
      cancelTerminate();
      cancelKill();
    };
  }

  async #live(): Promise<void> {
    let delaySeconds: number | undefined;
    for (;;) {
      const image = await pullImage(
        this.#context,
        this.record.reference,
        (reason, message) => this.#wait(reason, message),
        this.#end.signal,
      );
      if (image === undefined) return;
      const terminated = await this.#runOnce(image);
      if (terminated === undefined) return;
      this.record.state = { terminated };
      if (this.#end.signal.aborted || !restarts(this.#restartPolicy, terminated.exitCode)) return this.#context.changed();
      this.record.lastState = { terminated };
      delaySeconds = nextDelaySeconds(delaySeconds, secondsBetween(terminated.startedAt, terminated.finishedAt));
      if (delaySeconds > 0) await this.#backOff(delaySeconds);
      if (this.#end.signal.aborted) return;
    }
  }

  async #backOff(seconds: number): Promise<void> {
    const { metadata } = this.#context.pod();
    const { name } = this.container;
    const pod = `${metadata?.name}_${metadata?.namespace}(${metadata?.uid})`;
    this.#wait('CrashLoopBackOff', `back-off ${describeDelay(seconds)} restarting failed container=${name} pod=${pod}`);
    this.#context.recordEvent('Warning', 'BackOff', `Back-off restarting failed container ${name} in pod ${pod}`);
    await pause(seconds * 1000, this.#end.signal);
  }

  #wait(reason: string, message?: string): void {
    this.record.state = { waiting: { reason, ...(message !== undefined && { message }) } };
    this.#context.changed();
  }

  /** Resolves to how it ended, or to `undefined` where it never began before the end. */
  async #runOnce(image: Image): Promise<V1ContainerStateTerminated | undefined> {
    while (!this.#end.signal.aborted) {
      try {
        this.#run = await this.#start(image).catch((error: unknown) => {
          throw asStartError(error);
        });
        // Told to end while it was being made.
        if (this.#end.signal.aborted) this.#endRun(0);
        return await this.#watch(this.#run);
      } catch (error) {
        if (error instanceof StartError && error.reason === 'StartError') return this.#startFailed(error.message);
        if (!(error instanceof ConfigError || error instanceof StartError)) throw error;
        this.#context.recordEvent('Warning', 'Failed', `Error: ${error.message}`);
        this.#wait(error instanceof StartError ? error.reason : 'CreateContainerConfigError', error.message);
        await this.#context.waitForChange(RETRY_MS, this.#end.signal);
      }
    }
    return undefined;
  }

  /** Its command cannot be run: the kubelet counts that as a run that ended with 128. */
  #startFailed(message: string): V1ContainerStateTerminated {
    this.#context.recordEvent('Warning', 'Failed', `Error: ${message}`);
    this.#hasRun = true;
    const terminated = {
      exitCode: 128,
      reason: 'StartError',
      message,
      startedAt: new Date(0),
      finishedAt: this.#context.node.now(),
      containerID: this.record.containerId ?? '',
    };
    this.record.lastState = { terminated };
    this.#wait('RunContainerError', message);
    return terminated;
  }

  async #start(image: Image): Promise<Run> {
    const { node, references } = this.#context;
    const pod = this.#context.pod();
    const { name } = this.container;
    const id = randomBytes(32).toString('hex');
    const config = resolveConfig(pod, this.container, image, references);
    if (config.command.length === 0)
      throw new StartError(
        'CreateContainerError',
        `failed to generate container "${id}" spec: failed to generate spec: no command specified`,
      );
    const mounts = resolveMounts(this.container, this.#context.volumes(), pod);
    if (this.#hasRun) this.record.restartCount += 1;
    Object.assign(this.record, { image: image.name, imageId: image.id, containerId: `berth://${id}` });
    this.#context.recordEvent('Normal', 'Created', `Created container: ${name}`);
    const group = node.controlGroups?.create(pod.metadata?.uid ?? '', `${name}-${id.slice(0, 8)}`, this.#limits());
    const log = new LogFile(this.logPath(this.record.restartCount), node.now);
    removeLog(this.logPath(this.record.restartCount - 2));
    if (this.#watchedBytes() !== undefined) writeOomCount(this.container, this.#context.volumes(), 0);
    try {
      const running = await node.runtime.start({
        id,
        hostname: (pod.spec?.hostname ?? pod.metadata?.name ?? '').slice(0, 63),
        ...config,
        mounts,
        ownMounts: [...imageMounts(image, node.helper), ...(group?.mounts ?? [])],
        empty: image.content !== 'machine',
        heldVolumes: this.#context.heldVolumes(),
        controlGroups: group?.joinFiles ?? [],
        processLimit: node.controlGroups?.processes === true ? undefined : CONTAINER_PROCESS_RLIMIT,
      });
      const output = Promise.allSettled([log.collect('stdout', running.stdout), log.collect('stderr', running.stderr)]);
      return { running, group, log, startedAt: node.now(), output };
    } catch (error) {
      log.close();
      throw error;
    }
  }

  /** `<data>/logs/<pod uid>/<container>/<run>.log`. */
  logPath(restartCount: number): string {
    return join(this.#context.node.folders.logs, this.#context.pod().metadata?.uid ?? '', this.container.name, `${restartCount}.log`);
  }

  #limits(): { memoryBytes: number | undefined; cpuLimit: number | undefined; cpuRequest: number | undefined } {
    const { limits, requests } = this.container.resources ?? {};
    return {
      memoryBytes: parseQuantity(limits?.['memory']),
      cpuLimit: parseQuantity(limits?.['cpu']),
      cpuRequest: parseQuantity(requests?.['cpu']),
    };
  }

  async #watch({ running, group, log, startedAt, output }: Run): Promise<V1ContainerStateTerminated> {
    const { node } = this.#context;
    const ended = new AbortController();
    this.#hasRun = true;
    this.record.state = { running: { startedAt } };
    this.record.started = this.container.startupProbe === undefined;
    this.record.ready = this.record.started && this.container.readinessProbe === undefined;
    this.#context.recordEvent('Normal', 'Started', `Started container ${this.container.name}`);
    this.#context.changed();
    const memory = this.#watchMemory(running);
    this.#probe(running, ended.signal);
    const { exitCode } = await running.exit;
    ended.abort();
    memory.unwatch();
    this.#cancelKill?.();
    await Promise.race([output, pause(OUTPUT_MS, AbortSignal.any([]))]);
    running.stdout.destroy();
    running.stderr.destroy();
    const outOfMemory = memory.killedFirst() || (group?.oomKills() ?? 0) > 0;
    const reason = exitCode === 137 && outOfMemory ? 'OOMKilled' : exitReason(exitCode);
    group?.kill();
    log.close();
    this.#run = undefined;
    Object.assign(this.record, { ready: false, started: false });
    return { exitCode, reason, startedAt, finishedAt: node.now(), containerID: this.record.containerId ?? '' };
  }

  /** Where no control group does it. `killedFirst`: the container's first process was killed for its memory, and the others with it. */
  #watchMemory(running: RunningContainer): { readonly unwatch: () => void; readonly killedFirst: () => boolean } {
    const { node } = this.#context;
    const limitBytes = this.#watchedBytes();
    let kills = 0;
    let first = false;
    const onKill = (pid: number): void => {
      kills += 1;
      first ||= pid === running.pid;
      writeOomCount(this.container, this.#context.volumes(), kills);
    };
    const unwatch =
      limitBytes === undefined ? undefined : node.memoryWatcher?.watch({ limitBytes, processes: () => running.processes(), onKill });
    return { unwatch: () => unwatch?.(), killedFirst: () => first };
  }

  /** The limit on memory that we have to hold ourselves. */
  #watchedBytes(): number | undefined {
    return this.#context.node.controlGroups?.memory === true ? undefined : this.#limits().memoryBytes;
  }

  #probe(running: RunningContainer, signal: AbortSignal): void {
    const target = { container: this.container, running, address: this.#context.address() };
    void probeContainer(
      target,
      {
        onFailure: (message) => this.#context.recordEvent('Warning', 'Unhealthy', message),
        onUnhealthy: (kind) => this.#restart(kind),
        onState: (state) => {
          Object.assign(this.record, state);
          this.#context.changed();
        },
      },
      signal,
    );
  }

  #restart(kind: 'startup' | 'liveness'): void {
    const { spec } = this.#context.pod();
    this.#context.recordEvent('Normal', 'Killing', `Container ${this.container.name} failed ${kind} probe, will be restarted`);
    this.#endRun((spec?.terminationGracePeriodSeconds ?? 30) * 1000);
  }
}

/** Whatever keeps a container from being made becomes its status, as with a real kubelet: nobody reads the node's log. */
function asStartError(error: unknown): Error {
  if (error instanceof ConfigError || error instanceof StartError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StartError('CreateContainerError', `failed to create containerd container: ${message}`);
}

function exitReason(exitCode: number): string {
  return exitCode === 0 ? 'Completed' : 'Error';
}

function secondsBetween(start: Date | undefined, end: Date | undefined): number {
  return start === undefined || end === undefined || start.getTime() === 0 ? 0 : (end.getTime() - start.getTime()) / 1000;
}
