/**
 * `npm run keys`: makes, lists and revokes API keys in the configured store, for the first key of an installation and for operators.
 *
 * @module
 */
import { existsSync } from 'node:fs';
import { loadEnvFile } from 'node:process';
import { createKey, listKeys, revokeKey, type KeyDocument } from '../shared/auth/keys.ts';
import { systemClock } from '../shared/clock.ts';
import { ConfigError, parseConfig } from '../shared/config.ts';
import { openStore } from '../shared/documents/open-store.ts';
import type { DocumentStore } from '../shared/documents/port.ts';
import { newId } from '../shared/ids.ts';
import { keysUsage, parseKeysCommand, type KeysCommand } from './keys-options.ts';

const MINUTE_MS = 60_000;
const PAGE = 200;

async function run(store: DocumentStore, command: Exclude<KeysCommand, { action: 'help' }>): Promise<void> {
  switch (command.action) {
    case 'create': {
      const { kind, user, name, ttlMinutes } = command;
      const expiresAt = ttlMinutes === null ? null : new Date(systemClock.now().getTime() + ttlMinutes * MINUTE_MS);
      const { document, key } = await createKey({ store, clock: systemClock, newId }, { kind, user, name, expiresAt });
      // The key alone on standard output, so that it can be piped into a file or a secret store.
      console.error(`id ${document.id}, kind ${kind}${user === null ? '' : `, user ${user}`}; shown this once:`);
      console.log(key.reveal());
      return;
    }
    case 'list':
      for await (const key of allKeys(store, command.user)) console.log(describe(key));
      return;
    case 'revoke':
      if (!(await revokeKey({ store, clock: systemClock }, command.id))) throw new ConfigError([`there is no key "${command.id}"`]);
      console.error('revoked; running instances notice within five seconds');
  }
}

async function* allKeys(store: DocumentStore, user: string | null): AsyncGenerator<KeyDocument> {
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof listKeys>> = await listKeys(store, {
      limit: PAGE,
      ...(user === null ? {} : { user }),
      ...(cursor === null ? {} : { cursor }),
    });
    yield* page.keys;
    cursor = page.nextCursor;
  } while (cursor !== null);
}

function describe(key: KeyDocument): string {
  const state = key.revoked_at === null ? `expires ${key.expires_at ?? 'never'}` : `revoked ${key.revoked_at}`;
  return [key.id, key.kind.padEnd(7), key.user ?? '-', `created ${key.created_at}`, state, key.name ?? ''].join('  ').trimEnd();
}

async function main(): Promise<void> {
  if (existsSync('.env')) loadEnvFile('.env');
  const command = parseKeysCommand(process.argv.slice(2));
  if (command.action === 'help') {
    console.log(keysUsage);
    return;
  }
  const { store, close } = await openStore(parseConfig(process.env));
  try {
    await run(store, command);
  } finally {
    await close();
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exitCode = 1;
}
