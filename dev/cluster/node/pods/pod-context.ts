/**
 * What the workers of one pod share.
 *
 * @module
 */
import type { V1Pod } from '@kubernetes/client-node';
import type { ControlGroups } from '../limits/port.ts';
import type { MemoryWatcher } from '../limits/memory-watcher.ts';
import type { VolumeWatcher } from '../limits/volume-watcher.ts';
import type { HeldVolumes, Runtime } from '../runtime/port.ts';
import type { References } from './container-config.ts';

/** What the node offers to all its pods. */
export interface NodeContext {
  readonly runtime: Runtime;
  readonly controlGroups: ControlGroups | undefined;
  readonly memoryWatcher: MemoryWatcher | undefined;
  readonly volumeWatcher: VolumeWatcher;
  /** The machine's. */
  readonly helper: string | undefined;
  /** Names of images besides the built-in ones. */
  readonly images: readonly string[];
  readonly folders: {
    readonly pods: string;
    readonly volumes: string;
    readonly logs: string;
    readonly snapshots: string;
    /** Of whoever started the cluster: what Cloud Storage is elsewhere. */
    readonly buckets: string | undefined;
  };
  readonly asRoot: boolean;
  readonly log: (message: string) => void;
  readonly now: () => Date;
}

export interface PodContext {
  readonly node: NodeContext;
  readonly references: References;
  /** The pod as it is now. */
  pod(): V1Pod;
  address(): string;
  volumes(): ReadonlyMap<string, string>;
  heldVolumes(): HeldVolumes | undefined;
  recordEvent(type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** A record has changed: the status is to be written. */
  changed(): void;
  /** Resolves when an object that the pod may refer to has changed, after `milliseconds`, or when the signal is aborted. */
  waitForChange(milliseconds: number, signal: AbortSignal): Promise<void>;
}
