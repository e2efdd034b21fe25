/**
 * What is asked for when a session is created: every kind of session that the life cycle treats in its own way.
 */
import type { CreateSessionRequest } from '../../shared/sessions/create-request.ts';

const idleTimeouts = [undefined, undefined, 1, 2] as const;

/** The same number asks for the same. `isAnchored`: for a project, whose workspace is on a volume by default. */
export function createRequest(how: number, isAnchored = false): CreateSessionRequest {
  const idle = idleTimeouts[how % idleTimeouts.length];
  const kind = Math.floor(how / 4) % 6;
  return {
    ttl_minutes: ttlMinutes(how),
    resource_tier: 'small',
    ...(idle === undefined ? {} : { idle_timeout_minutes: idle }),
    ...(how % 3 === 0 ? { env: { TOKEN: 'secret' } } : {}),
    ...(how % 5 === 0 && !isAnchored ? { namespace: `team-${how % 2}` } : {}),
    ...(isAnchored ? {} : storageOf(kind)),
  };
}

function ttlMinutes(how: number): number {
  return how % 7 === 0 ? 25 : 1 + (how % 9);
}

function storageOf(kind: number): Partial<CreateSessionRequest> {
  switch (kind) {
    case 0:
    case 1:
      return { request_persistent_storage: true, persistent_storage_size_gb: 10 };
    case 2:
      return { request_persistent_storage: true, preserve_data: true, persistent_storage_size_gb: 10 };
    case 3:
      return { volumes: [{ name: 'shared-work', type: 'persistent_volume', mount_path: '/workspace', size_gb: 10 }] };
    default:
      return {};
  }
}

export function projectOf(pick: number): { readonly kind: 'project' | 'conversation'; readonly id: string } {
  return { kind: pick % 4 === 0 ? 'conversation' : 'project', id: `work-${pick % 3}` };
}
