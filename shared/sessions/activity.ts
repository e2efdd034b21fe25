/**
 * When a session was last used. In a document of its own, at most twice a minute: the session's own stays cold, and nobody's change of it
 * fails because somebody else runs a command.
 *
 * @module
 */
import type { Deps } from '../deps.ts';
import { activityKey } from './collections.ts';
import type { SessionDocument } from './model.ts';

/** `activity/{session id}`. */
export interface ActivityDocument {
  readonly session_id: string;
  readonly user: string;
  /** Of the last call that used the session, to half a minute. */
  readonly at: string;
  /** What its container had computed when somebody last looked; null before. */
  readonly cpu: CpuReading | null;
  readonly purge_at: string;
}

export interface CpuReading {
  readonly generation: number;
  readonly at: string;
  readonly cpu_ms: number;
}

/** Half of the shortest idle timeout: a use that goes unnoted is never the one that matters. */
const NOTE_AGAIN_MS = 30_000;
/** Longer than any session without activity lives. */
const PURGE_MS = 400 * 24 * 3_600_000;
/** One entry for each session that was used here within a minute; far more than one instance serves. */
const LARGEST_MEMORY = 10_000;

/** Notes that sessions are used; one per process. */
export interface ActivityNotes {
  /** Never throws: a call must not fail because its trace could not be written. */
  touch(session: SessionDocument): Promise<void>;
}

export function createActivityNotes(deps: Deps): ActivityNotes {
  const touched = new Map<string, number>();
  return {
    touch: async (session) => {
      // Only the idle timeout of a running session reads it.
      if (session.idle_timeout_minutes === null || session.status !== 'running') return;
      const now = deps.clock.now();
      const last = touched.get(session.id);
      if (last !== undefined && now.getTime() - last < NOTE_AGAIN_MS) return;
      if (touched.size >= LARGEST_MEMORY) touched.clear();
      touched.set(session.id, now.getTime());
      try {
        await writeActivity(deps, session, (before) => ({ at: now.toISOString(), cpu: before?.cpu ?? null }));
      } catch (error) {
        touched.delete(session.id);
        deps.log.log('warn', 'the use of a session could not be noted', { component: 'sessions', session_id: session.id, error });
      }
    },
  };
}

export async function readActivity(deps: Deps, id: string): Promise<ActivityDocument | undefined> {
  return (await deps.store.get<ActivityDocument>(activityKey(id)))?.data;
}

/** `at` never goes back. */
export async function writeActivity(
  deps: Deps,
  session: SessionDocument,
  change: (before: ActivityDocument | undefined) => Pick<ActivityDocument, 'at' | 'cpu'>,
): Promise<void> {
  const key = activityKey(session.id);
  await deps.store.transact([key], ([stored]) => {
    const before = stored?.data as ActivityDocument | undefined;
    const { at, cpu } = change(before);
    const data: ActivityDocument = {
      session_id: session.id,
      user: session.user,
      at: before !== undefined && before.at > at ? before.at : at,
      cpu,
      purge_at: new Date(deps.clock.now().getTime() + PURGE_MS).toISOString(),
    };
    return { writes: [{ type: 'set', key, data }], result: undefined };
  });
}
