/**
 * What follows from changes of sessions, on every store there is.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuditDocument } from '../../shared/audit/model.ts';
import { type Database, openDatabase } from '../../shared/documents/database.ts';
import { StoreError, type DocumentStore } from '../../shared/documents/port.ts';
import { openJournal } from '../../shared/documents/sqlite-journal.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';
import type { AppError } from '../../shared/errors/app-error.ts';
import { followSessions } from '../../shared/events/follow.ts';
import { handleChange } from '../../shared/events/handle-change.ts';
import type { RollupDocument, SessionChange, SessionState } from '../../shared/events/model.ts';
import { toSessionState } from '../../shared/events/session-state.ts';
import { newId } from '../../shared/ids.ts';
import { sessionKey } from '../../shared/sessions/collections.ts';
import type { SessionDocument } from '../../shared/sessions/model.ts';
import { createWebhook, deleteWebhooksOf } from '../../shared/webhooks/manage.ts';
import type { WebhookDocument } from '../../shared/webhooks/model.ts';
import { implementations, type StoreFixture } from '../contract/documents-fixture.ts';
import { sessionDocument } from '../fakes/session-document.ts';
import { storeDeps, type StoreDeps } from '../fakes/store-deps.ts';

const DAY = '2026-03-01';

function state(fields: Partial<SessionDocument>): SessionState {
  const made = toSessionState(sessionDocument(fields));
  if (made === undefined) throw new Error('the session of the tests is not a session');
  return made;
}

/** A session's life: an hour of running. */
function life(user: string): readonly SessionChange[] {
  const id = newId();
  const at = (time: string, fields: Partial<SessionDocument>): SessionState =>
    state({ id, user, updated_at: `${DAY}T${time}:00.000Z`, ...fields });
  const started = `${DAY}T10:01:00.000Z`;
  const states = [
    at('10:00', { status: 'creating', started_at: null, created_at: `${DAY}T10:00:00.000Z` }),
    at('10:01', { status: 'running', started_at: started }),
    at('11:01', { status: 'terminating', started_at: started }),
    at('11:02', { status: 'terminated', started_at: started, terminated_at: `${DAY}T11:02:00.000Z` }),
  ];
  return states.map((after, index) => ({
    id: `${id}#${index}`,
    after,
    ...(index === 0 ? {} : { before: states[index - 1] as SessionState }),
  }));
}

async function rollup(store: DocumentStore, user: string, day = DAY): Promise<Partial<RollupDocument> | undefined> {
  const data = (await store.get<RollupDocument>({ collection: 'rollups', id: `${user}-${day}` }))?.data;
  if (data === undefined) return undefined;
  const { updated_at: _updated, purge_at: _purge, user: _user, day: _day, ...counts } = data;
  return counts;
}

const oneLife = {
  sessions_created: 1,
  sessions_started: 1,
  sessions_failed: 0,
  sessions_ended: 1,
  session_seconds: 3600,
  cpu_seconds: 900,
};

function webhook(user: string, fields: Partial<WebhookDocument> = {}): WebhookDocument {
  return {
    id: newId(),
    user,
    url: 'https://example.com/hook',
    description: null,
    events: [],
    secret: { key_id: 'k', nonce: 'n' },
    created_at: `${DAY}T00:00:00.000Z`,
    deliveries: [],
    ...fields,
  };
}

describe.each(implementations)('changes of sessions on $name', { timeout: 120_000 }, ({ start, missing }) => {
  if (missing !== undefined) return void it.skip(missing);
  let fixture: StoreFixture;
  let store: DocumentStore;
  let deps: StoreDeps;
  beforeAll(async () => {
    fixture = start();
    store = await fixture.open();
    deps = storeDeps(store);
  });
  afterAll(() => fixture.close());

  it('come to the same roll-up in any order, however often each is told', async () => {
    const changes = life('twice');
    expect(await handleChange(deps, changes[0] as SessionChange)).toBe('handled');
    for (const change of changes.toReversed()) await handleChange(deps, change);
    for (const change of changes) expect(await handleChange(deps, change)).toBe('repeated');
    expect(await rollup(store, 'twice')).toEqual(oneLife);
  });

  it('are each counted once where many arrive at the same time, told twice side by side', async () => {
    const changes = Array.from({ length: 5 }, () => life('busy')).flat();
    const outcomes = await Promise.all([...changes, ...changes].map((change) => handleChange(deps, change)));
    expect(outcomes.filter((outcome) => outcome === 'handled')).toHaveLength(changes.length);
    expect(await rollup(store, 'busy')).toEqual({
      sessions_created: 5,
      sessions_started: 5,
      sessions_failed: 0,
      sessions_ended: 5,
      session_seconds: 5 * 3600,
      cpu_seconds: 5 * 900,
    });
  });

  it('are counted whole where one ends a run of a month, and once where it is told again after half of it', async () => {
    const before = state({ id: newId(), user: 'long', started_at: '2026-01-01T00:00:00.000Z' });
    const after = { ...before, status: 'stopped' as const, updated_at: '2026-02-10T00:00:00.000Z' };
    const change = { id: `${before.id}#stop`, before, after };
    let transactions = 0;
    const breaking: DocumentStore = Object.create(store, {
      transact: {
        value: (...given: Parameters<DocumentStore['transact']>) => {
          transactions += 1;
          return transactions === 2 ? Promise.reject(new StoreError('unavailable', 'away')) : store.transact(...given);
        },
      },
      get: { value: store.get.bind(store) },
      query: { value: store.query.bind(store) },
    }) as DocumentStore;
    await expect(handleChange({ ...deps, store: breaking }, change)).rejects.toMatchObject({ code: 'unavailable' });
    expect(await handleChange(deps, change)).toBe('handled');
    expect(await handleChange(deps, change)).toBe('repeated');
    for (const day of ['2026-01-01', '2026-01-15', '2026-01-16', '2026-02-09']) {
      expect((await rollup(store, 'long', day))?.session_seconds).toBe(86_400);
    }
    expect(await rollup(store, 'long', '2026-02-10')).toBeUndefined();
  });

  it('tell the audit who made them, once', async () => {
    const [created] = life('traced') as [SessionChange];
    const change = {
      ...created,
      after: { ...created.after, last_change: { by: 'traced', key_id: 'k9', request_id: 'r9' } },
    };
    await handleChange(deps, change);
    await handleChange(deps, change);
    const page = await store.query<AuditDocument>('audit', { where: [{ path: 'user', operator: '==', value: 'traced' }], limit: 10 });
    expect(page.documents.map(({ data }) => data)).toEqual([
      {
        id: expect.any(String) as string,
        at: `${DAY}T10:00:00.000Z`,
        by: 'traced',
        key_id: 'k9',
        request_id: 'r9',
        user: 'traced',
        action: 'session.creating',
        target: `sessions/${change.after.id}`,
        outcome: 'done',
        detail: { generation: 1, reason: null },
        purge_at: '2026-05-30T10:00:00.000Z',
      },
    ]);
  });

  it('lay one delivery for each webhook that wants to know, and none for those of others', async () => {
    const hooks = [
      webhook('hooked'),
      webhook('hooked', { events: ['session.terminated', 'session.running'] }),
      webhook('hooked', { events: ['session.failed'] }),
      webhook('stranger'),
      webhook('*', { events: ['session.terminated'] }),
    ];
    for (const hook of hooks) await store.create({ collection: 'webhooks', id: hook.id }, hook);
    const own = storeDeps(store);
    const changes = life('hooked');
    for (const change of [...changes, ...changes]) await handleChange(own, change);
    const laid = (index: number): unknown[] =>
      own.tasks
        .filter(({ payload }) => payload['webhook_id'] === hooks[index]?.id)
        .map(({ payload }) => (payload['event'] as { type: string }).type);
    expect(laid(0)).toEqual(['session.creating', 'session.running', 'session.terminating', 'session.terminated']);
    expect(laid(1)).toEqual(['session.running', 'session.terminated']);
    expect([laid(2), laid(3)]).toEqual([[], []]);
    expect(laid(4)).toEqual(['session.terminated']);
    expect(own.tasks.every(({ target }) => target === 'webhook')).toBe(true);
    const running = own.tasks.find(({ payload }) => (payload['event'] as { type: string }).type === 'session.running');
    expect(running?.payload['event']).toMatchObject({ session: { user: 'hooked', status: 'running', previous_status: 'creating' } });
    for (const hook of hooks) await store.delete({ collection: 'webhooks', id: hook.id });
  });

  it('reach those who follow everyone, however many webhooks the user has', async () => {
    const hooks = [...Array.from({ length: 41 }, () => webhook('crowd')), webhook('*', { id: `zz${newId()}` })];
    for (const hook of hooks) await store.create({ collection: 'webhooks', id: hook.id }, hook);
    const own = storeDeps(store);
    await handleChange(own, life('crowd')[0] as SessionChange);
    expect(own.tasks.filter(({ payload }) => payload['webhook_id'] === hooks.at(-1)?.id)).toHaveLength(1);
    for (const hook of hooks) await store.delete({ collection: 'webhooks', id: hook.id });
  });

  it('are told to twenty webhooks of a user at most, also where thirty are made at once', async () => {
    const caller = { keyId: 'k', kind: 'user', user: 'eager', requestId: 'r' } as const;
    const made = await Promise.allSettled(
      Array.from({ length: 30 }, (_each, n) => createWebhook(deps, caller, { url: `https://example.com/${n}` })),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(20);
    const refusals = made.flatMap((one) => (one.status === 'rejected' ? [(one.reason as AppError).code] : []));
    expect(new Set(refusals)).toEqual(new Set(['too_many_webhooks']));
    expect(await deleteWebhooksOf(deps, 'eager')).toBe(20);
    await createWebhook(deps, caller, { url: 'https://example.com/again' });
    expect(await deleteWebhooksOf(deps, 'eager')).toBe(1);
  });

  it('cost nothing where nobody has to know of them', async () => {
    const before = state({ user: 'quiet' });
    const after = { ...before, labels: { a: 'b' }, updated_at: `${DAY}T12:00:00.000Z` };
    const silent: StoreDeps = { ...deps, store: Object.create(null) as DocumentStore };
    expect(await handleChange(silent, { id: 'x', before, after })).toBe('nothing');
  });
});

describe('the journal of sessions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-journal-'));
  const file = join(folder, 'berth.db');
  const databases: Database[] = [];
  const open = (): { store: DocumentStore; database: Database } => {
    const database = openDatabase(file);
    databases.push(database);
    return { store: openSqlite({ database }), database };
  };
  afterAll(() => {
    for (const database of databases) database.close();
    rmSync(folder, { recursive: true });
  });

  const write = (store: DocumentStore, session: SessionDocument): Promise<void> => {
    const key = sessionKey(session.id);
    return store.transact([key], () => ({ writes: [{ type: 'set', key, data: session }], result: undefined }));
  };
  const statuses = ({ before, after }: SessionChange): unknown[] => [before?.status, after.status];

  it('tells of every change with what was before, in order, also where it is read late and by another process', async () => {
    const { store, database } = open();
    await write(store, sessionDocument({ id: 'early' }));
    const journal = openJournal(database, 'sessions');
    const other = open();
    for (const status of ['creating', 'running', 'stopping', 'creating', 'running'] as const)
      await write(other.store, sessionDocument({ id: 'quick', status }));
    await store.delete(sessionKey('quick'));
    await write(store, sessionDocument({ id: 'early', status: 'stopped' }));
    const seen: SessionChange[] = [];
    const stop = new AbortController();
    let failures = 0;
    const following = followSessions(
      storeDeps(store),
      journal,
      (change) => {
        failures += 1;
        if (failures === 2) return Promise.reject(new StoreError('unavailable', 'away'));
        seen.push(change);
        return Promise.resolve();
      },
      stop.signal,
    );
    await vi.waitFor(() => expect(seen).toHaveLength(6), { timeout: 5_000 });
    await write(store, sessionDocument({ id: 'early', status: 'terminated' }));
    await vi.waitFor(() => expect(seen).toHaveLength(7), { timeout: 5_000 });
    expect(seen.map(statuses)).toEqual([
      [undefined, 'creating'],
      ['creating', 'running'],
      ['running', 'stopping'],
      ['stopping', 'creating'],
      ['creating', 'running'],
      ['running', 'stopped'],
      ['stopped', 'terminated'],
    ]);
    expect(new Set(seen.map(({ id }) => id)).size).toBe(seen.length);
    stop.abort();
    await following;
  });

  it('goes on after a stop where it was: with the change that was being handled, and none that was done', async () => {
    const { store, database } = open();
    const journal = openJournal(database, 'sessions');
    for (const status of ['creating', 'running', 'stopping'] as const) await write(store, sessionDocument({ id: 'long', status }));
    const seen: SessionChange[] = [];
    const stop = new AbortController();
    await followSessions(
      storeDeps(store),
      journal,
      (change) => {
        if (seen.push(change) === 1) return Promise.resolve();
        stop.abort();
        return Promise.reject(new StoreError('unavailable', 'closing'));
      },
      stop.signal,
    );
    expect(seen.map(statuses)).toEqual([
      [undefined, 'creating'],
      ['creating', 'running'],
    ]);
    // Nobody looks, and another process changes the session.
    await write(open().store, sessionDocument({ id: 'long', status: 'stopped' }));
    const later: SessionChange[] = [];
    const end = new AbortController();
    const following = followSessions(
      storeDeps(store),
      openJournal(open().database, 'sessions'),
      (change) => Promise.resolve(void later.push(change)),
      end.signal,
    );
    await vi.waitFor(() => expect(later).toHaveLength(3), { timeout: 5_000 });
    expect(later[0]).toEqual(seen[1]);
    expect(later.slice(1).map(statuses)).toEqual([
      ['running', 'stopping'],
      ['stopping', 'stopped'],
    ]);
    end.abort();
    await following;
  });
});
