import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyKind } from '../../shared/auth/caller.ts';
import { createKey } from '../../shared/auth/keys.ts';
import { parseConfig } from '../../shared/config.ts';
import { openDatabase } from '../../shared/documents/database.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';
import type { App, AppDeps } from '../../shared/http/create-app.ts';
import { createFunctionServer } from '../../shared/http/function-front.ts';
import { newId } from '../../shared/ids.ts';
import { createLogger } from '../../shared/observability/create-logger.ts';
import { createMetrics } from '../../shared/observability/create-metrics.ts';
import { testNow } from './session-document.ts';

export interface LogLine {
  readonly severity: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface TestServer {
  readonly origin: string;
  readonly port: number;
  readonly deps: AppDeps;
  /** Everything logged so far. */
  readonly lines: () => readonly LogLine[];
  readonly clock: { time: Date };
  newKey(kind: KeyKind, user: string | null, expiresAt?: Date): Promise<string>;
  stop(): Promise<void>;
}

/** An app of ours behind the functions framework on a port of its own, with a SQLite store of its own. */
export async function startServer(
  createApp: (deps: AppDeps) => App,
  environment: Readonly<Record<string, string>> = {},
  replace: (deps: AppDeps) => AppDeps = (deps) => deps,
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-http-'));
  const database = openDatabase(join(folder, 'berth.db'));
  const store = openSqlite({ database });
  const written: string[] = [];
  const clock = { time: testNow };
  const deps = replace({
    clock: { now: () => clock.time },
    config: parseConfig(environment),
    log: createLogger({ level: 'debug', format: 'json', write: (line) => written.push(line) }),
    metrics: createMetrics(),
    newId,
    store,
  });
  const server = createFunctionServer(`test-${newId()}`, createApp(deps));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${String(port)}`,
    port,
    deps,
    clock,
    lines: () => written.map((line) => JSON.parse(line) as LogLine),
    newKey: async (kind, user, expiresAt) => {
      const { key } = await createKey({ store, clock: deps.clock, newId }, { kind, user, name: null, expiresAt: expiresAt ?? null });
      return key.reveal();
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      await store.close();
      database.close();
      await rm(folder, { recursive: true });
    },
  };
}
