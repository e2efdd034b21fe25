import { describe, expect, it } from 'vitest';
import type { SessionDocument } from '../../../shared/sessions/model.ts';
import { claimLost, withoutEnded } from '../../../shared/sweep/plan-volume.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';
import { volumeDocument } from './documents.ts';

const live = sessionDocument();
const used = volumeDocument({ sessions: { [live.id]: true } });

function stored(...sessions: readonly SessionDocument[]): ReadonlyMap<string, SessionDocument> {
  return new Map(sessions.map((session) => [session.id, session]));
}

describe('a volume whose sessions have ended', () => {
  it('is left alone while one of them lives', () => {
    expect(withoutEnded(used, stored(live), testNow)).toBeUndefined();
    const both = volumeDocument({ sessions: { [live.id]: true, gone: true } });
    expect(withoutEnded(both, stored(live), testNow)).toMatchObject({ status: 'ready', sessions: { [live.id]: true } });
  });

  it('goes with the last of them, known or forgotten, unless it is to stay', () => {
    const ended = stored({ ...live, status: 'terminated' });
    for (const sessions of [ended, stored()]) {
      expect(withoutEnded(used, sessions, testNow)).toMatchObject({ status: 'deleting', sessions: {} });
      expect(withoutEnded({ ...used, retain: true }, sessions, testNow)).toMatchObject({ status: 'ready', sessions: {} });
    }
  });

  it('stays where its session preserved its data', () => {
    const ended = stored({ ...live, status: 'terminated', preserve_data: true });
    expect(withoutEnded(used, ended, testNow)).toMatchObject({ status: 'ready', retain: true });
  });
});

describe('a claim that is gone', () => {
  it('is told of on its volume, where that was ready', () => {
    expect(claimLost(volumeDocument(), testNow)).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/^claim_lost: /) as string,
    });
    for (const status of ['creating', 'failed', 'deleting', 'deleted'] as const) {
      expect(claimLost(volumeDocument({ status }), testNow)).toBeUndefined();
    }
    expect(claimLost(volumeDocument({ type: 'gcs_fuse', claim_name: null }), testNow)).toBeUndefined();
  });
});
