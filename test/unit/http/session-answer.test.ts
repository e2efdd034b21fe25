import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sessionAnswer, sessionSchema } from '../../../shared/http/session-answer.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

describe('sessionAnswer', () => {
  it('is a flat object with everything a caller may know, and nothing else', () => {
    const session = sessionDocument({ labels: { team: 'a' }, warnings: ['w'], reason: 'r', name: 'n' });
    expect(sessionAnswer(session, { origin: 'http://127.0.0.1:8080' })).toEqual({
      id: '0123456789abcdefghjkmnpqrs',
      provider: 'gke',
      name: 'n',
      labels: { team: 'a' },
      template: 'python',
      namespace: 'u-alice',
      user: 'alice',
      user_type: 'normal',
      workspace_id: null,
      project_id: null,
      conversation_id: null,
      status: 'running',
      reason: 'r',
      websocket: 'ws://127.0.0.1:8080/v1/gke/shell/0123456789abcdefghjkmnpqrs?k8s_ns=berth-u-alice&pod=berth-0123456789abcdefghjkmnpqrs',
      created_at: '2026-03-01T11:59:00.000Z',
      updated_at: '2026-03-01T11:59:01.000Z',
      started_at: '2026-03-01T11:59:01.000Z',
      expires_at: '2026-03-01T12:59:00.000Z',
      terminated_at: null,
      ttl_minutes: 60,
      resource_tier: 'small',
      image: 'python:3.11-slim',
      env_names: [],
      storage: { storage_type: 'ephemeral', mount_path: '/workspace', size_gb: 10 },
      volumes: [],
      gpu: null,
      idle_timeout_minutes: null,
      preserve_data: false,
      stopped_at: null,
      ports: [],
      access_url: null,
      k8s_namespace: 'berth-u-alice',
      pod_name: 'berth-0123456789abcdefghjkmnpqrs',
      node_name: 'node-1',
      channel: 'exec',
      generation: 1,
      warnings: ['w'],
      details: {
        k8s_ns: 'berth-u-alice',
        pod: 'berth-0123456789abcdefghjkmnpqrs',
        storage_type: 'ephemeral',
        resource_tier: 'small',
        user_type: 'normal',
      },
    });
  });

  it('is what the documented schema says', () => {
    const strict = z.strictObject(sessionSchema.shape);
    expect(strict.safeParse(sessionAnswer(sessionDocument(), { origin: 'https://b.example' })).error).toBeUndefined();
  });

  it('names wss where the origin is https', () => {
    expect(sessionAnswer(sessionDocument(), { origin: 'https://b.example' }).websocket).toMatch(/^wss:\/\/b\.example\/v1\/gke\/shell\//);
  });
});
