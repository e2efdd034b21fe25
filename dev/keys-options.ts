/**
 * The command line of `npm run keys`. Pure.
 *
 * @module
 */
import { parseArgs } from 'node:util';
import { keyKinds, type KeyKind } from '../shared/auth/caller.ts';
import { ConfigError } from '../shared/config.ts';
import { userSchema } from '../shared/sessions/create-request.ts';

export const keysUsage = `Usage: npm run keys -- create --kind user|service|admin [--user USER] [--name NAME] [--ttl-minutes N]
       npm run keys -- list [--user USER]
       npm run keys -- revoke ID

Works on the store that the environment names (BERTH_STORE, BERTH_DATA_DIR, GOOGLE_CLOUD_PROJECT, FIRESTORE_DATABASE).
A new key is printed once and can never be read again.`;

export type KeysCommand =
  | {
      readonly action: 'create';
      readonly kind: KeyKind;
      readonly user: string | null;
      readonly name: string | null;
      readonly ttlMinutes: number | null;
    }
  | { readonly action: 'list'; readonly user: string | null }
  | { readonly action: 'revoke'; readonly id: string }
  | { readonly action: 'help' };

/** Throws `ConfigError`, whose last line is the usage. */
export function parseKeysCommand(argv: readonly string[]): KeysCommand {
  const { values, positionals } = parse(argv);
  const [action, id, ...rest] = positionals;
  if (values.help === true) return { action: 'help' };
  if (rest.length > 0 || (id !== undefined && action !== 'revoke')) throw wrong(`what is "${positionals.at(-1) ?? ''}"?`);
  switch (action) {
    case 'create':
      return parseCreate(values);
    case 'list':
      return { action, user: parseUser(values.user) };
    case 'revoke':
      if (id === undefined) throw wrong('revoke: name the key by its id, which "list" shows');
      return { action, id };
    default:
      throw wrong(action === undefined ? 'say what to do' : `there is no "${action}"`);
  }
}

interface Values {
  readonly kind?: string;
  readonly user?: string;
  readonly name?: string;
  readonly 'ttl-minutes'?: string;
}

function parseCreate(values: Values): KeysCommand {
  const kind = keyKinds.find((candidate) => candidate === values.kind);
  if (kind === undefined) throw wrong(`--kind: must be ${keyKinds.join(', ')}`);
  const user = parseUser(values.user);
  if (kind === 'user' && user === null) throw wrong('--user: must be given for a key of kind user');
  const ttl = values['ttl-minutes'];
  if (ttl !== undefined && !/^[1-9]\d{0,7}$/.test(ttl)) throw wrong('--ttl-minutes: must be a number of minutes');
  return { action: 'create', kind, user, name: values.name ?? null, ttlMinutes: ttl === undefined ? null : Number(ttl) };
}

function parseUser(user: string | undefined): string | null {
  if (user === undefined) return null;
  const parsed = userSchema.safeParse(user);
  if (!parsed.success) throw wrong(`--user: ${parsed.error.issues[0]?.message ?? 'is not valid'}`);
  return parsed.data;
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        kind: { type: 'string' },
        user: { type: 'string' },
        name: { type: 'string' },
        'ttl-minutes': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw wrong(error instanceof Error ? error.message : String(error));
  }
}

function wrong(message: string): ConfigError {
  return new ConfigError([message, '', keysUsage]);
}
