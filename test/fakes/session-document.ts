import type { SessionDocument } from '../../shared/sessions/model.ts';

export const testNow = new Date('2026-03-01T12:00:00.000Z');

/** A running session of alice, with what the test says over it. */
export function sessionDocument(fields: Partial<SessionDocument> = {}): SessionDocument {
  return {
    id: '0123456789abcdefghjkmnpqrs',
    user: 'alice',
    user_type: 'normal',
    namespace: 'u-alice',
    k8s_namespace: 'berth-u-alice',
    name: null,
    labels: {},
    workspace_id: null,
    project_id: null,
    conversation_id: null,
    template: 'python',
    resource_tier: 'small',
    spec: {
      image: 'python:3.11-slim',
      command: null,
      resources: { cpu_requests: '250m', memory_requests: '512Mi', cpu: '500m', memory: '1Gi' },
      env_names: [],
      storage_type: 'ephemeral',
      workspace_gb: 10,
      start_deadline_seconds: 600,
      active_deadline_seconds: 86_400,
    },
    warnings: [],
    status: 'running',
    reason: null,
    generation: 1,
    pod_name: 'berth-0123456789abcdefghjkmnpqrs',
    pod_uid: 'uid-1',
    node_name: 'node-1',
    channel: 'exec',
    pod_losses: [],
    created_at: '2026-03-01T11:59:00.000Z',
    updated_at: '2026-03-01T11:59:01.000Z',
    started_at: '2026-03-01T11:59:01.000Z',
    ttl_minutes: 60,
    expires_at: '2026-03-01T12:59:00.000Z',
    start_deadline: '2026-03-01T12:09:00.000Z',
    terminated_at: null,
    purge_at: null,
    last_change: { by: 'alice', key_id: 'k1', request_id: 'r1' },
    history: [],
    ...fields,
  };
}
