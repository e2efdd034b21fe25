/**
 * What a signed-in user may do with Firestore itself: read what is their own, and nothing else.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  assertFails,
  assertSucceeds,
  initializeTestEnvironment,
  type RulesTestContext,
  type RulesTestEnvironment,
  type TokenOptions,
} from '@firebase/rules-unit-testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { collections, userKey } from '../../shared/sessions/collections.ts';

type Firestore = ReturnType<RulesTestContext['firestore']>;

const emulator = process.env['FIRESTORE_EMULATOR_HOST'];
const verified = { email: 'alice@example.com', email_verified: true };
const me = 'alice@example.com';
const readable = ['sessions', 'jobs', 'rollups'];

describe.skipIf(emulator === undefined)('firestore.rules on the Firestore emulator', { timeout: 60_000 }, () => {
  let environment: RulesTestEnvironment;
  let alice: Firestore;
  let byId: Firestore;
  let unverified: Firestore;
  let nobody: Firestore;

  beforeAll(async () => {
    const [host = '', port = ''] = (emulator ?? '').split(':');
    const rules = await readFile(join(import.meta.dirname, '../../firestore.rules'), 'utf8');
    // Rules are held per project: one of its own leaves the other tests' alone.
    const projectId = `berth-rules-${Date.now().toString(36)}`;
    environment = await initializeTestEnvironment({ projectId, firestore: { host, port: Number(port), rules } });
    const as = (uid: string, claims?: TokenOptions): Firestore => environment.authenticatedContext(uid, claims).firestore();
    alice = as('uid-alice', verified);
    byId = as('uid-bob');
    unverified = as('uid-mallory', { email: me, email_verified: false });
    nobody = environment.unauthenticatedContext().firestore();
    await environment.withSecurityRulesDisabled(async (context) => {
      const all = context.firestore();
      for (const name of Object.values(collections)) {
        await all.collection(name).doc('mine').set({ user: me, owner: me, status: 'running' });
        await all.collection(name).doc('his').set({ user: 'uid-bob', owner: 'uid-bob', status: 'running' });
      }
      for (const name of ['jobs', 'installation', 'metering']) {
        await all.collection(name).doc('mine').set({ user: me });
        await all.collection(name).doc('his').set({ user: 'uid-bob' });
      }
    });
  });
  afterAll(() => environment.cleanup());

  it.each(readable)('let a user read and list their own %s', async (name) => {
    await assertSucceeds(alice.collection(name).doc('mine').get());
    const own = await assertSucceeds(alice.collection(name).where('user', '==', me).get());
    expect(own.docs.map(({ id }) => id)).toEqual(['mine']);
  });

  it('let a user listen to their own sessions as they change', async () => {
    const seen = Promise.withResolvers<string[]>();
    const stop = alice
      .collection('sessions')
      .where('user', '==', me)
      .onSnapshot(
        (snapshot) => seen.resolve(snapshot.docs.map(({ id }) => id)),
        (error) => seen.reject(error),
      );
    expect(await seen.promise).toEqual(['mine']);
    stop();
  });

  it('let a user read what they hold, and list no users', async () => {
    await assertSucceeds(alice.collection('users').doc('mine').get());
    await assertFails(alice.collection('users').where('user', '==', me).get());
  });

  it.each([...readable, 'users'])('keep the %s of others to them, also in a list that does not say whose', async (name) => {
    await assertFails(alice.collection(name).doc('his').get());
    await assertFails(byId.collection(name).doc('mine').get());
    await assertFails(alice.collection(name).where('user', '==', 'uid-bob').get());
    await assertFails(alice.collection(name).limit(1).get());
    await assertFails(alice.collection(name).where('status', '==', 'running').get());
  });

  it('know a user without a verified address by the id, and believe no address that was not verified', async () => {
    await assertSucceeds(byId.collection('sessions').doc('his').get());
    await assertFails(unverified.collection('sessions').doc('mine').get());
  });

  it.each(['gone@example.com', 'gone+mail@example.com'])('show nothing to %s once the user was deleted', async (email) => {
    const user = environment.authenticatedContext(`uid-${email}`, { email, email_verified: true }).firestore();
    const document = userKey(email);
    await environment.withSecurityRulesDisabled(async (context) => {
      const all = context.firestore();
      await all.collection('sessions').doc(`of-${email}`).set({ user: email });
      await all.collection(document.collection).doc(document.id).set({ user: email });
    });
    const read: readonly (() => Promise<unknown>)[] = [
      () => user.collection('sessions').doc(`of-${email}`).get(),
      () => user.collection('sessions').where('user', '==', email).get(),
      () => user.collection('users').doc(document.id).get(),
    ];
    for (const attempt of read) await assertSucceeds(attempt());
    await environment.withSecurityRulesDisabled((context) =>
      context.firestore().collection(document.collection).doc(document.id).update({ deleted_at: '2026-03-01T12:00:00.000Z' }),
    );
    for (const attempt of read) await assertFails(attempt());
  });

  it.each([
    ['an id that looks like an address', me, {}],
    ['an id that is no person', 'project:p', {}],
    ['a tenant of the project', 'uid-tenant', { ...verified, firebase: { sign_in_provider: 'password', tenant: 'customer' } }],
  ] as const)('believe no token with %s', async (_what, uid, claims) => {
    const user = environment.authenticatedContext(uid, claims).firestore();
    await environment.withSecurityRulesDisabled(async (context) => {
      await context.firestore().collection('sessions').doc('of-project').set({ user: 'project:p' });
    });
    for (const id of ['mine', 'of-project']) await assertFails(user.collection('sessions').doc(id).get());
    await assertFails(user.collection('sessions').where('user', '==', uid).get());
  });

  it('do not tell which ids exist', async () => {
    await assertFails(alice.collection('sessions').doc('nothing').get());
  });

  it('let nobody in who has not signed in', async () => {
    for (const name of [...readable, 'users']) {
      await assertFails(nobody.collection(name).doc('mine').get());
      await assertFails(nobody.collection(name).where('user', '==', me).get());
    }
  });

  const closed = [...Object.values(collections), 'installation', 'metering'].filter((name) => ![...readable, 'users'].includes(name));
  it.each(closed)('show nothing of %s', async (name) => {
    await assertFails(alice.collection(name).doc('mine').get());
    await assertFails(alice.collection(name).where('user', '==', me).get());
  });

  it.each([...Object.values(collections), 'jobs', 'installation', 'anything'])('let no client write to %s', async (name) => {
    await assertFails(alice.collection(name).doc('new').set({ user: me }));
    await assertFails(alice.collection(name).doc('mine').update({ status: 'stopped' }));
    await assertFails(alice.collection(name).doc('mine').delete());
  });
});
