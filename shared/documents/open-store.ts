/**
 * Opens the store that the configuration names.
 *
 * @module
 */
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { openDatabase, type Database } from './database.ts';
import { openFirestore } from './firestore.ts';
import type { DocumentStore } from './port.ts';
import { storeDirectory } from './store-directory.ts';
import { openSqlite } from './sqlite.ts';

export interface OpenedStore {
  readonly store: DocumentStore;
  /** The file behind it, where it is one: the local task queue lives in it too. */
  readonly database: Database | undefined;
  close(): Promise<void>;
}

/** Throws `StoreError` `unavailable`. */
export async function openStore(config: Pick<Config, 'store' | 'cluster' | 'dataDirectory'>): Promise<OpenedStore> {
  if (config.store.type === 'firestore') {
    const store = await openFirestore({ projectId: config.store.project, databaseId: config.store.database });
    return { store, database: undefined, close: () => store.close() };
  }
  const database = openDatabaseIn(config);
  const store = openSqlite({ database });
  return {
    store,
    database,
    close: async () => {
      await store.close();
      database.close();
    },
  };
}

/** The one file of a laptop's Berth, or of each cluster that it works with. */
export function openDatabaseIn(config: Pick<Config, 'cluster' | 'dataDirectory'>): Database {
  return openDatabase(join(storeDirectory(config), 'berth.db'));
}
