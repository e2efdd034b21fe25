/**
 * The edges of design §4's table, written down a second time: what the code does is held against this, not against itself.
 */
import type { SessionDocument, SessionStatus } from '../../shared/sessions/model.ts';

/** Every row of the table, each cause apart. */
export const edges = [
  '(none) -> creating: admitted',
  'creating -> running: pod ready',
  'creating -> failed: cannot start',
  'creating -> failed: start deadline',
  'running -> stopping: stop',
  'running -> stopping: idle',
  'running -> stopping: deadline of a project session',
  'running -> stopping: restart',
  'stopping -> stopped: pod gone',
  'stopping -> creating: pod gone, restarts',
  'running -> creating: pod lost, workspace on a volume',
  'running -> failed: pod lost, workspace in it',
  'running -> failed: lost three times in ten minutes',
  'running -> failed: crash loop',
  'stopped -> creating: start',
  'failed -> creating: start',
  'creating -> terminating: delete',
  'running -> terminating: delete',
  'stopping -> terminating: delete',
  'stopped -> terminating: delete',
  'failed -> terminating: delete',
  'creating -> terminating: deadline',
  'running -> terminating: deadline',
  'stopping -> terminating: deadline',
  'stopped -> terminating: deadline',
  'failed -> terminating: deadline',
  'terminating -> terminated: released',
] as const;
const allowed: ReadonlySet<string> = new Set(edges.map((edge) => edge.replace(/:.*/, '')));

/** Sessions in these states count against their owner's limits. */
export const holding: ReadonlySet<SessionStatus> = new Set(['creating', 'running', 'stopping', 'terminating']);

/** Which edge a write took; `undefined` where the state stayed; a sentence where there is no such edge. */
export function edgeOf(
  before: SessionDocument | undefined,
  after: SessionDocument,
  now: Date,
): { edge: string; isAllowed: boolean } | undefined {
  const from = before?.status ?? '(none)';
  const to = after.status;
  if (from === to && before?.generation === after.generation) return undefined;
  // The one change of pods within a state: an image without a shell.
  if (from === 'creating' && to === 'creating') return undefined;
  const move = `${from} -> ${to}`;
  return { edge: `${move}: ${causeOf(move, after, now)}`, isAllowed: allowed.has(move) };
}

function causeOf(move: string, after: SessionDocument, now: Date): string {
  const reason = after.reason ?? '';
  if (move.endsWith('-> terminating')) return isDeadline(after, now) ? 'deadline' : 'delete';
  switch (move) {
    case '(none) -> creating':
      return 'admitted';
    case 'creating -> running':
      return 'pod ready';
    case 'creating -> failed':
      return reason.startsWith('start_deadline') ? 'start deadline' : 'cannot start';
    case 'running -> stopping':
      return causeOfStop(after, now);
    case 'stopping -> stopped':
      return 'pod gone';
    case 'stopping -> creating':
      return 'pod gone, restarts';
    case 'running -> creating':
      return 'pod lost, workspace on a volume';
    case 'running -> failed':
      return causeOfFailure(reason);
    case 'terminating -> terminated':
      return 'released';
    default:
      return 'start';
  }
}

function causeOfStop(after: SessionDocument, now: Date): string {
  if (after.restarts) return 'restart';
  if (after.last_change.by !== 'system') return 'stop';
  return isDeadline(after, now) ? 'deadline of a project session' : 'idle';
}

function causeOfFailure(reason: string): string {
  if (reason.startsWith('pod_lost: lost ')) return 'lost three times in ten minutes';
  return reason.startsWith('pod_lost') ? 'pod lost, workspace in it' : 'crash loop';
}

/** By Berth itself, at or after the deadline. */
function isDeadline(after: SessionDocument, now: Date): boolean {
  return after.last_change.by === 'system' && Date.parse(after.expires_at) <= now.getTime();
}
