import type { CoreV1Event } from '@kubernetes/client-node';
import { describe, expect, it } from 'vitest';
import { describe as describeClaim, withHint } from '../../../shared/storage/unbound.ts';
import type { SessionVolume } from '../../../shared/storage/model.ts';
import { sessionDocument } from '../../fakes/session-document.ts';

function event(type: string, message: string, seconds: number): CoreV1Event {
  return { metadata: {}, involvedObject: {}, type, message, lastTimestamp: new Date(seconds * 1000) };
}

describe('a claim that is not bound', () => {
  it('is explained by its newest warning, which says more than what it waits for', () => {
    const events = [event('Warning', 'old', 1), event('Warning', 'no such class', 2), event('Normal', 'waiting for first consumer', 3)];
    expect(describeClaim('c', 'Pending', events)).toBe('claim_unbound: The claim "c" is not bound (Pending): no such class');
    expect(describeClaim('c', 'Pending', events.slice(2))).toMatch(/waiting for first consumer$/);
    expect(describeClaim('c', 'Lost', [])).toBe('claim_unbound: The claim "c" is not bound (Lost).');
  });
});

describe('a pod that finds no node', () => {
  const volume: SessionVolume = {
    volume_id: 'v',
    type: 'persistent_volume',
    source: 'c',
    mount_path: '/data',
    read_only: false,
    size_gb: 1,
    shared: false,
  };
  const session = (fields: Partial<SessionVolume>) =>
    sessionDocument({ spec: { ...sessionDocument().spec, volumes: [{ ...volume, ...fields }] } });
  const reason = "Unschedulable: No node has room: 1 node(s) didn't match pod affinity rules.";

  it('is told what its volume has to do with it, and nothing where it has nothing to do with it', () => {
    expect(withHint(session({}), reason)).toMatch(/run_in: session/);
    expect(withHint(session({ shared: true }), reason)).toBe(reason);
    expect(withHint(session({}), 'Unschedulable: Insufficient cpu.')).toBe('Unschedulable: Insufficient cpu.');
    expect(withHint(sessionDocument(), reason)).toBe(reason);
  });
});
