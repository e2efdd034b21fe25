/**
 * The key of a Berth on one machine: made at the first start, kept in a file that only its owner can read.
 *
 * @module
 */
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { StoreError, type DocumentStore } from '../documents/port.ts';
import type { UserDocument } from '../entitlements/model.ts';
import { newId } from '../ids.ts';
import { userKey } from '../sessions/collections.ts';
import { createKey, findKey, keyDocumentKey, parseKey, type KeyDocument } from './keys.ts';

const USER = 'local';

export interface DevelopmentKey {
  readonly file: string;
  /** False where the file was there already. */
  readonly created: boolean;
}

/**
 * Sees to it that `<data directory>/api-key` holds a key that works: kind `admin`, user `local` of type `admin`. A store that was
 * emptied gets the key's document back; a key that was revoked stays revoked. Throws where the file holds something else.
 */
export async function ensureDevelopmentKey(store: DocumentStore, dataDirectory: string): Promise<DevelopmentKey> {
  const file = join(dataDirectory, 'api-key');
  await ensureAdministrator(store);
  const text = await readIfThere(file);
  if (text !== undefined) {
    await restoreDocument(store, file, text);
    return { file, created: false };
  }
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const { key } = await createKey(
    { store, clock: systemClock, newId },
    { kind: 'admin', user: USER, name: 'development', expiresAt: null },
  );
  await writeWhole(file, `${key.reveal()}\n`);
  return { file, created: true };
}

/** The file appears whole or not at all, and never replaces one: of two processes that start at once, the second fails here. */
async function writeWhole(file: string, text: string): Promise<void> {
  const draft = `${file}.${String(process.pid)}`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  try {
    await link(draft, file);
  } finally {
    await unlink(draft);
  }
}

async function restoreDocument(store: DocumentStore, file: string, text: string): Promise<void> {
  const key = parseKey(text.trim());
  if (key === undefined) throw new Error(`${file} does not hold a key of Berth; remove it to have a new one made`);
  if ((await findKey(store, key.id)) !== undefined) return;
  const document: KeyDocument = {
    id: key.id,
    kind: 'admin',
    user: USER,
    name: 'development',
    secret_hash: key.secret.digest(),
    created_at: systemClock.now().toISOString(),
    expires_at: null,
    revoked_at: null,
    purge_at: null,
  };
  await createIfAbsent(store, keyDocumentKey(key.id), document);
}

async function ensureAdministrator(store: DocumentStore): Promise<void> {
  const document: UserDocument = { user: USER, type: 'admin', limits: {}, holds: {}, created_at: systemClock.now().toISOString() };
  await createIfAbsent(store, userKey(USER), document);
}

async function createIfAbsent(store: DocumentStore, key: Parameters<DocumentStore['create']>[0], data: object): Promise<void> {
  try {
    await store.create(key, data);
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'already_exists')) throw error;
  }
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
