/**
 * The stores that the contract is held against, each with fresh data.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDatabase } from '../../shared/documents/database.ts';
import { openFirestore } from '../../shared/documents/firestore.ts';
import type { DocumentKey, DocumentStore, StoreError, StoreErrorCode } from '../../shared/documents/port.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';

export interface StoreFixture {
  /** A further store on the same data, as another process has it. */
  open(): Promise<DocumentStore>;
  /** Closes every store that was opened and removes what can be removed. */
  close(): Promise<void>;
}

export interface StoreImplementation {
  readonly name: string;
  /** Why it cannot be tried here. */
  readonly missing?: string;
  /** The emulator may hold back a change that meets the beginning of a listener until the next change of the collection comes. */
  readonly holdsBack?: boolean;
  readonly start: () => StoreFixture;
}

function startSqlite(): StoreFixture {
  const folder = mkdtempSync(join(tmpdir(), 'berth-documents-'));
  const closers: (() => Promise<void>)[] = [];
  return {
    open: async () => {
      const database = openDatabase(join(folder, 'data', 'berth.db'));
      const store = openSqlite({ database });
      closers.push(() => store.close().then(() => database.close()));
      return store;
    },
    close: async () => {
      await Promise.all(closers.map((close) => close()));
      rmSync(folder, { recursive: true });
    },
  };
}

function startFirestore(projectId: string): StoreFixture {
  const collectionPrefix = `t${randomBytes(6).toString('hex')}-`;
  const stores: DocumentStore[] = [];
  return {
    open: async () => {
      // One clock: the emulator's is this machine's.
      const store = await openFirestore({ projectId, collectionPrefix, clockSkewMs: 0 });
      stores.push(store);
      return store;
    },
    close: async () => void (await Promise.all(stores.map((store) => store.close()))),
  };
}

const projectId = process.env['GOOGLE_CLOUD_PROJECT'] ?? 'berth-test';

const firestoreMissing =
  process.env['FIRESTORE_EMULATOR_HOST'] === undefined
    ? 'SKIPPED: the document contract on Firestore. Start the Firestore emulator and set FIRESTORE_EMULATOR_HOST=host:port.'
    : undefined;

export const implementations: readonly StoreImplementation[] = [
  { name: 'SQLite', start: startSqlite },
  {
    name: 'Firestore',
    holdsBack: true,
    start: () => startFirestore(projectId),
    ...(firestoreMissing !== undefined && { missing: firestoreMissing }),
  },
];

let made = 0;

/** A collection that no other test uses. */
export function freshCollection(): string {
  made += 1;
  return `things-${made}`;
}

export function keyIn(collection: string, id: string): DocumentKey {
  return { collection, id };
}

/** What `expect(...).rejects.toMatchObject` takes for a refusal of the store. */
export function refusal(code: StoreErrorCode): Partial<StoreError> {
  return { name: 'StoreError', code };
}
