import { describe, expect, it } from 'vitest';
import type { CreateSessionRequest } from '../../../shared/sessions/create-request.ts';
import { differences, rebuildFor } from '../../../shared/sessions/differences.ts';
import type { SessionDocument } from '../../../shared/sessions/model.ts';
import { resolveSession } from '../../../shared/sessions/resolve.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

function made(request: CreateSessionRequest): SessionDocument {
  const { spec, template, resourceTier } = resolveSession(request);
  return sessionDocument({ template, resource_tier: resourceTier, spec: { ...spec, active_deadline_seconds: 60 } });
}

function between(before: CreateSessionRequest, request: CreateSessionRequest): readonly string[] {
  return differences(made(before), request, resolveSession(request));
}

describe('the differences between a session and a request', () => {
  it('are none where the request is the one that it was made from', () => {
    const request: CreateSessionRequest = {
      image: 'python:3.12',
      resource_limits: { cpu: '2', memory: '4Gi' },
      ports: [8080],
      env: { B: '1', A: '2' },
      command: 'sleep 5',
    };
    expect(between(request, request)).toEqual([]);
  });

  it('are none in what the request does not name', () => {
    expect(between({ image: 'python:3.12', resource_tier: 'large', ports: [80], env: { A: '1' } }, {})).toEqual([]);
  });

  const cases: readonly (readonly [string, CreateSessionRequest])[] = [
    ['image', { image: 'python:3.13' }],
    ['template', { template: 'node' }],
    ['limits', { resource_limits: { memory: '3Gi' } }],
    ['limits', { resource_tier: 'large' }],
    ['command', { command: ['sh'] }],
    ['ports', { ports: [9090] }],
    ['env', { env: { B: '1' } }],
  ];
  for (const [word, request] of cases) {
    it(`name the ${word} of ${JSON.stringify(request)}`, () => {
      const found = between({}, request);
      expect(found.some((sentence) => sentence.includes(word) && sentence.includes('recreate=true'))).toBe(true);
    });
  }

  it('say nothing of the values of env, which nobody knows any more', () => {
    expect(between({ env: { A: '1' } }, { env: { A: '2' } })).toEqual([]);
  });
});

describe('a rebuild', () => {
  it('takes the pod from the request and the storage from the session', () => {
    const volume = {
      volume_id: 'v',
      type: 'persistent_volume',
      source: 'c',
      mount_path: '/workspace',
      read_only: false,
      size_gb: 20,
      shared: false,
    } as const;
    const before = made({ env: { A: '1' } });
    const session = {
      ...before,
      spec: { ...before.spec, volumes: [volume], storage_type: 'persistent_volume' as const, workspace_gb: 20 },
    };
    const request: CreateSessionRequest = { template: 'node', ports: [3000] };
    expect(rebuildFor(session, request, resolveSession(request))).toMatchObject({
      template: 'node',
      spec: {
        image: 'node:24-slim',
        ports: [3000],
        volumes: [volume],
        storage_type: 'persistent_volume',
        workspace_gb: 20,
        env_names: ['A'],
      },
    });
  });

  it('takes the names of env from the request where it gives some', () => {
    const request: CreateSessionRequest = { env: { B: '1' } };
    expect(rebuildFor(made({ env: { A: '1' } }), request, resolveSession(request)).spec.env_names).toEqual(['B']);
  });
});
