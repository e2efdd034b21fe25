/**
 * One pod on this node, from its assignment to its end.
 *
 * @module
 */
import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import type { V1Container, V1PersistentVolume, V1Pod } from '@kubernetes/client-node';
import type { Objects } from '../../port.ts';
import { RESTORED_FROM } from '../../snapshot-objects.ts';
import type { Addresses } from '../addresses.ts';
import { claims, configMaps, persistentVolumes, pods, secrets } from '../kinds.ts';
import { removeFolder } from '../remove-folder.ts';
import type { BoundFolder, HeldVolumes } from '../runtime/port.ts';
import { callAfter, pause } from '../timers.ts';
import { createRecord } from './container-record.ts';
import type { ContainerRecord } from './container-record.ts';
import { ContainerRunner } from './container-runner.ts';
import type { NodeContext, PodContext } from './pod-context.ts';
import { podStatus } from './pod-status.ts';
import type { PodFacts } from './pod-status.ts';
import { limitedVolumes, memoryVolumes, prepareVolumes, VolumeError } from './volumes.ts';

const COMPONENT = 'kubelet';
const VOLUME_RETRY_MS = 10_000;
const DEFAULT_GRACE_SECONDS = 30;
const EVICTION_GRACE_SECONDS = 1;

export class PodWorker {
  readonly uid: string;
  /** Settles when nothing of the pod runs and, if it was deleted, its object and folders are gone. Never rejects. */
  readonly done: Promise<void>;
  readonly #node: NodeContext;
  readonly #objects: Objects;
  readonly #addresses: Addresses;
  readonly #context: PodContext;
  readonly #startTime: Date;
  readonly #initContainers: readonly ContainerRecord[];
  readonly #containers: readonly ContainerRecord[];
  readonly #runners = new Map<string, ContainerRunner>();
  readonly #end = new AbortController();
  #pod: V1Pod;
  #address: string | undefined;
  #volumes: ReadonlyMap<string, string> = new Map();
  #heldVolumes: HeldVolumes | undefined;
  #failure: PodFacts['failure'];
  #changes = new AbortController();
  #deleted = false;
  #stopping = false;
  #grace: number | undefined;

  constructor(pod: V1Pod, node: NodeContext, objects: Objects, addresses: Addresses) {
    const { initContainers = [], containers = [] } = pod.spec ?? {};
    const before = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    const waitsFor = initContainers.length === 0 ? 'ContainerCreating' : 'PodInitializing';
    const record = (container: V1Container): ContainerRecord => {
      const present = before.find((item) => item.name === container.name);
      return createRecord(container, present, waitsFor, node.now());
    };
    this.uid = pod.metadata?.uid ?? '';
    this.#pod = pod;
    this.#node = node;
    this.#objects = objects;
    this.#addresses = addresses;
    this.#startTime = pod.status?.startTime === undefined ? node.now() : new Date(pod.status.startTime);
    this.#initContainers = initContainers.map(record);
    this.#containers = containers.map(record);
    this.#context = this.#createContext();
    setMaxListeners(0, this.#end.signal);
    this.done = this.#live().catch((error: unknown) =>
      node.log(`pod ${this.#name()}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
    );
  }

  get pod(): V1Pod {
    return this.#pod;
  }

  runner(container: string): ContainerRunner | undefined {
    return this.#runners.get(container);
  }

  /** All that run in it, as the machine counts them. */
  processes(): readonly number[] {
    return [...this.#runners.values()].flatMap(({ running }) => running?.processes() ?? []);
  }

  /** The pod's object as it is now. */
  update(pod: V1Pod): void {
    this.#pod = pod;
    if (pod.metadata?.deletionTimestamp !== undefined)
      this.#terminate((pod.metadata.deletionGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS) * 1000);
  }

  /** The object is gone, so nobody waits for the processes to end by themselves. */
  removed(): void {
    this.#deleted = true;
    this.#terminate(0);
  }

  /** Ends the processes and leaves everything else for the next start. */
  stop(graceMs: number): void {
    this.#stopping = true;
    this.#terminate(graceMs);
  }

  /** An object that the pod may wait for has changed. */
  dependenciesChanged(): void {
    this.#changes.abort();
    this.#changes = new AbortController();
  }

  #terminate(graceMs: number): void {
    // A deletion may be repeated with less grace, never with more.
    if (this.#grace !== undefined && graceMs >= this.#grace) return;
    this.#grace = graceMs;
    this.#end.abort();
    for (const runner of this.#runners.values()) runner.stop(graceMs);
  }

  async #live(): Promise<void> {
    const { phase } = this.#pod.status ?? {};
    const { deletionTimestamp } = this.#pod.metadata ?? {};
    if (deletionTimestamp === undefined && phase !== 'Succeeded' && phase !== 'Failed') await this.#run();
    // What has ended stays to be looked at until it is deleted.
    await this.#untilEnd(deletionTimestamp !== undefined);
    await this.#node.controlGroups?.removePod(this.uid);
    if (this.#stopping) return;
    await Promise.all([removeFolder(join(this.#node.folders.pods, this.uid)), removeFolder(join(this.#node.folders.logs, this.uid))]);
    this.#addresses.release(this.uid);
    this.#removeObject();
  }

  async #untilEnd(ended: boolean): Promise<void> {
    if (ended || this.#end.signal.aborted) return;
    await new Promise<void>((resolve) => this.#end.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  async #run(): Promise<void> {
    this.#address = this.#addresses.take(this.uid, this.#pod.status?.podIP);
    this.#writeStatus();
    const { activeDeadlineSeconds, initContainers = [], containers = [], restartPolicy } = this.#pod.spec ?? {};
    const left = activeDeadlineSeconds === undefined ? undefined : this.#startTime.getTime() + activeDeadlineSeconds * 1000 - Date.now();
    const cancelDeadline = left === undefined ? undefined : callAfter(left, () => this.#exceedDeadline());
    if (await this.#prepare()) {
      const unwatch = this.#watchVolumes();
      for (const container of initContainers) {
        if (!this.#mayStart()) break;
        await this.#startContainer(container, this.#initContainers, restartPolicy === 'Never' ? 'Never' : 'OnFailure').done;
        if (this.#initContainers.find(({ name }) => name === container.name)?.state.terminated?.exitCode !== 0) break;
      }
      const initialized = this.#initContainers.every(({ state }) => state.terminated?.exitCode === 0);
      if (initialized && this.#mayStart())
        await Promise.all(containers.map((container) => this.#startContainer(container, this.#containers, restartPolicy).done));
      unwatch();
    }
    this.#heldVolumes?.release();
    cancelDeadline?.();
    this.#writeStatus();
  }

  #mayStart(): boolean {
    return !this.#end.signal.aborted && this.#failure === undefined;
  }

  #startContainer(container: V1Container, records: readonly ContainerRecord[], restartPolicy: string | undefined): ContainerRunner {
    const record =
      records.find(({ name }) => name === container.name) ?? createRecord(container, undefined, 'ContainerCreating', this.#node.now());
    const runner = new ContainerRunner(this.#context, container, record, restartPolicy);
    this.#runners.set(container.name, runner);
    return runner;
  }

  /** Makes the volumes, waiting for what is missing. Resolves to whether the pod may start. */
  async #prepare(): Promise<boolean> {
    while (this.#mayStart()) {
      try {
        const { folders, bound } = prepareVolumes(this.#pod, {
          folder: join(this.#node.folders.pods, this.uid, 'volumes'),
          claimFolder: this.#node.folders.volumes,
          references: this.#context.references,
          bucketFolder: this.#node.folders.buckets,
          claim: (name) => this.#objects.get(claims, this.#pod.metadata?.namespace, name),
          isCopy: (name) =>
            this.#objects.get<V1PersistentVolume>(persistentVolumes, undefined, name)?.metadata?.annotations?.[RESTORED_FROM] !== undefined,
          asRoot: this.#node.asRoot,
          binds: this.#node.runtime.holdVolumes !== undefined,
        });
        this.#volumes = folders;
        this.#heldVolumes = await this.#holdVolumes(bound);
        return true;
      } catch (error) {
        if (!(error instanceof VolumeError)) throw error;
        this.#context.recordEvent('Warning', 'FailedMount', error.message);
        await this.#context.waitForChange(VOLUME_RETRY_MS, this.#end.signal);
      }
    }
    return false;
  }

  async #holdVolumes(bound: readonly BoundFolder[]): Promise<HeldVolumes | undefined> {
    const volumes = [...memoryVolumes(this.#pod, this.#volumes), ...bound];
    const hold = this.#node.runtime.holdVolumes;
    // Without a sandbox those in memory are folders as the others.
    if (volumes.length === 0 || hold === undefined) return undefined;
    return hold(volumes).catch((error: unknown) => {
      throw new VolumeError(error instanceof Error ? error.message : String(error));
    });
  }

  /** Those in memory hold their limit by themselves. */
  #watchVolumes(): () => void {
    const inMemory = this.#node.runtime.holdVolumes !== undefined;
    const unwatch = limitedVolumes(this.#pod, this.#volumes, inMemory).map(({ name, folder, limitBytes, limit }) =>
      this.#node.volumeWatcher.watch({ folder, limitBytes, onExceeded: () => this.#evict(name, limit) }),
    );
    return () => unwatch.forEach((end) => end());
  }

  /** The kubelet's words, to the last blank. */
  #evict(volume: string, limit: string): void {
    const message = `Usage of EmptyDir volume "${volume}" exceeds the limit "${limit}". `;
    this.#context.recordEvent('Warning', 'Evicted', message);
    this.#fail({ reason: 'Evicted', message }, EVICTION_GRACE_SECONDS);
  }

  #exceedDeadline(): void {
    const message = 'Pod was active on the node longer than the specified deadline';
    this.#context.recordEvent('Normal', 'DeadlineExceeded', message);
    this.#fail({ reason: 'DeadlineExceeded', message }, this.#pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS);
  }

  #fail(failure: NonNullable<PodFacts['failure']>, graceSeconds: number): void {
    this.#failure ??= failure;
    for (const runner of this.#runners.values()) runner.stop(graceSeconds * 1000);
    this.dependenciesChanged();
    this.#writeStatus();
  }

  #createContext(): PodContext {
    const { namespace } = this.#pod.metadata ?? {};
    return {
      node: this.#node,
      references: {
        secret: (name) => this.#objects.get(secrets, namespace, name),
        configMap: (name) => this.#objects.get(configMaps, namespace, name),
      },
      pod: () => this.#pod,
      address: () => this.#address ?? '',
      volumes: () => this.#volumes,
      heldVolumes: () => this.#heldVolumes,
      recordEvent: (type, reason, message) => {
        if (!this.#deleted) this.#objects.recordEvent(this.#pod, type, reason, message, COMPONENT);
      },
      changed: () => this.#writeStatus(),
      waitForChange: (milliseconds, signal) => pause(milliseconds, AbortSignal.any([signal, this.#changes.signal])),
    };
  }

  #writeStatus(): void {
    if (this.#deleted) return;
    const { namespace, name = '' } = this.#pod.metadata ?? {};
    this.#objects.update<V1Pod>(pods, namespace, name, (pod) => {
      // Another pod may have the name by now.
      if (pod.metadata?.uid !== this.uid) return;
      pod.status = podStatus(pod, {
        address: this.#address,
        startTime: this.#startTime,
        initContainers: this.#initContainers,
        containers: this.#containers,
        failure: this.#failure,
        now: this.#node.now(),
      });
    });
  }

  /** What a finalizer holds stays until that is gone, without any grace left. */
  #removeObject(): void {
    const { namespace, name = '' } = this.#pod.metadata ?? {};
    const present = this.#deleted ? undefined : this.#objects.get<V1Pod>(pods, namespace, name);
    if (present?.metadata?.uid !== this.uid) return;
    if ((present.metadata.finalizers ?? []).length === 0) return this.#objects.remove(pods, namespace, name);
    this.#objects.update<V1Pod>(pods, namespace, name, ({ metadata }) => {
      if (metadata !== undefined) metadata.deletionGracePeriodSeconds = 0;
    });
  }

  #name(): string {
    return `${this.#pod.metadata?.namespace}/${this.#pod.metadata?.name}`;
  }
}
