import { describe, expect, it } from 'vitest';
import { failed, givenUp, going, gone, left, readied, remade } from '../../../shared/storage/lifecycle.ts';
import { anchorVolumeName, sessionVolumeName } from '../../../shared/storage/names.ts';
import { sessionDocument, testNow } from '../../fakes/session-document.ts';
import { volumeDocument } from '../../fakes/volume-document.ts';

const session = sessionDocument();
const mounted = volumeDocument({ sessions: { [session.id]: true }, retain: false });

describe('when a session leaves its volume', () => {
  const named = (name: string, fields: object = {}) => ({ ...mounted, name, ...fields });
  const project = sessionDocument({ project_id: 'p' });
  const projects = anchorVolumeName('project', 'p');

  const cases: readonly (readonly [string, ReturnType<typeof named>, typeof session, boolean, 'stays' | 'goes'])[] = [
    ['its own, not preserved', named(sessionVolumeName(session.id)), session, false, 'goes'],
    ['its own, preserved', named(sessionVolumeName(session.id)), session, true, 'stays'],
    ['its own, kept by its owner meanwhile', named(sessionVolumeName(session.id), { retain: true }), session, false, 'stays'],
    ['a named one that nobody asked to keep', named('data'), session, false, 'goes'],
    ['a named one that was asked to stay', named('data', { retain: true }), session, false, 'stays'],
    ['one that another session preserved', named(sessionVolumeName('other'), { retain: true }), session, false, 'stays'],
    ['one that another session mounts', named('data', { sessions: { [session.id]: true, other: true } }), session, false, 'stays'],
    ['a project’s, preserved', named(projects), project, true, 'stays'],
    ['a project’s, preserved before and not now', named(projects, { retain: true }), project, false, 'goes'],
    ['a project’s, from a session that is not the project’s', named(projects, { retain: true }), session, false, 'stays'],
    ['another user’s, which this one cannot preserve', named('data', { user: 'bob' }), session, true, 'goes'],
  ];
  for (const [title, volume, leaving, preserve, outcome] of cases) {
    it(`${title}: it ${outcome}`, () => {
      const after = left(volume, leaving, preserve, testNow);
      expect(after?.sessions).not.toHaveProperty(session.id);
      expect(after?.status).toBe(outcome === 'goes' ? 'deleting' : 'ready');
      expect(after?.due_at).toBe(outcome === 'goes' ? '2026-03-01T12:00:10.000Z' : null);
    });
  }

  it('one that was never made and stays is left to the sweep', () => {
    const making = named('data', { status: 'creating', retain: true });
    expect(left(making, session, false, testNow)).toMatchObject({ status: 'creating', due_at: testNow.toISOString() });
    const waitedFor = { ...making, sessions: { [session.id]: true, other: true } } as const;
    expect(left(waitedFor, session, false, testNow)).toMatchObject({ due_at: null });
  });

  it('a second time, nothing happens', () => {
    expect(left({ ...mounted, sessions: {} }, session, false, testNow)).toBeUndefined();
  });
});

describe('when a session leaves whose create was undone', () => {
  const undone = sessionDocument({ project_id: 'p', undone: true });
  const projects = anchorVolumeName('project', 'p');
  const cases: readonly (readonly [string, Partial<ReturnType<typeof volumeDocument>>, boolean, 'stays' | 'goes'])[] = [
    ['what its create made', { made_by: undone.id, retain: false }, false, 'goes'],
    ['what its create made to stay', { made_by: undone.id, retain: true }, true, 'goes'],
    [
      'what others have joined meanwhile',
      { made_by: undone.id, retain: true, sessions: { [undone.id]: true, other: true } },
      true,
      'stays',
    ],
    ['what an earlier session of the project has left', { made_by: 'earlier', retain: true }, false, 'stays'],
    ['what was made for itself, though not to stay', { retain: false }, false, 'stays'],
    ['what another session would have taken with it', { made_by: 'earlier', retain: false }, true, 'goes'],
  ];
  for (const [title, fields, preserve, outcome] of cases) {
    it(`${title} ${outcome}`, () => {
      const volume = { ...mounted, name: projects, ...fields, sessions: fields.sessions ?? { [undone.id]: true as const } };
      const after = left(volume, undone, preserve, testNow);
      expect(after?.sessions).not.toHaveProperty(undone.id);
      expect(after?.status).toBe(outcome === 'goes' ? 'deleting' : 'ready');
      if (outcome === 'stays') expect(after?.retain).toBe(volume.retain);
    });
  }
});

describe('when the data of an ending session is not to stay', () => {
  const project = sessionDocument({ project_id: 'p', status: 'terminating', preserve_data: false });
  const volume = volumeDocument({ name: anchorVolumeName('project', 'p'), sessions: { [project.id]: true } });

  it('its project’s volume is marked as going, and goes with it whatever it says then', () => {
    const marked = going(volume, project);
    expect(marked).toMatchObject({ status: 'ready', going: true, retain: false, sessions: { [project.id]: true } });
    expect(left({ ...volume, ...marked }, project, true, testNow)).toMatchObject({ status: 'deleting', sessions: {} });
  });

  it('nothing else is', () => {
    expect(going(volume, { ...project, preserve_data: true })).toBeUndefined();
    expect(going(volume, { ...project, undone: true })).toBeUndefined();
    expect(going({ ...volume, name: 'data' }, project)).toBeUndefined();
    expect(going({ ...volume, sessions: { ...volume.sessions, other: true } }, project)).toBeUndefined();
    expect(going({ ...volume, sessions: {} }, project)).toBeUndefined();
  });
});

describe('a volume', () => {
  it('is ready only from being made', () => {
    expect(readied(volumeDocument({ status: 'creating' }), testNow)).toMatchObject({ status: 'ready', due_at: null });
    for (const status of ['ready', 'deleting', 'deleted'] as const) expect(readied(volumeDocument({ status }), testNow)).toBeUndefined();
  });

  it('fails only while it is being made, with a reason', () => {
    expect(failed(volumeDocument({ status: 'creating' }), 'a: b', testNow)).toMatchObject({ status: 'failed', reason: 'a: b' });
    for (const status of ['ready', 'failed', 'deleting', 'deleted'] as const) {
      expect(failed(volumeDocument({ status }), 'a: b', testNow)).toBeUndefined();
    }
  });

  it('fails when its claim is lost, and is made anew on demand', () => {
    const lost = failed(volumeDocument({ status: 'ready' }), 'claim_lost: It is gone.', testNow);
    expect(lost).toMatchObject({ status: 'failed', reason: 'claim_lost: It is gone.' });
    expect(remade(volumeDocument({ ...lost }), testNow)).toMatchObject({ status: 'creating', reason: null });
    for (const status of ['creating', 'ready', 'deleting', 'deleted'] as const) {
      expect(remade(volumeDocument({ status }), testNow)).toBeUndefined();
    }
  });

  it('is given up once', () => {
    expect(givenUp(volumeDocument(), testNow)).toMatchObject({ status: 'deleting' });
    expect(givenUp(volumeDocument({ status: 'deleting' }), testNow)).toBeUndefined();
    expect(givenUp(volumeDocument({ status: 'deleted' }), testNow)).toBeUndefined();
  });

  it('that is gone can be read for a week', () => {
    expect(gone(volumeDocument({ status: 'deleting' }), testNow)).toMatchObject({
      status: 'deleted',
      purge_at: '2026-03-08T12:00:00.000Z',
    });
  });
});
