/** Another process on the same file. `write` prints each id after it was acknowledged, for ever; `increment N` counts up N times. */
import { openDatabase } from '../../shared/documents/database.ts';
import { openSqlite } from '../../shared/documents/sqlite.ts';

const [file = '', mode, times] = process.argv.slice(2);
const database = openDatabase(file);
const store = openSqlite({ database });

if (mode === 'write') {
  for (let n = 0; ; n += 1) {
    await store.create({ collection: 'written', id: `d${n}` }, { n, text: 'x'.repeat(2_000) });
    process.stdout.write(`d${n}\n`);
  }
}
const key = { collection: 'counters', id: 'one' };
for (let n = 0; n < Number(times); n += 1) {
  await store.transact([key], ([present]) => {
    const count = (present?.data as { count: number } | undefined)?.count ?? 0;
    return { writes: [{ type: 'set', key, data: { count: count + 1 } }], result: undefined };
  });
}
await store.close();
database.close();
