/** Another process on the same file: `hang` leases tasks and never finishes them; `enqueue NAME` leaves one and ends. */
import { systemClock } from '../../shared/clock.ts';
import { openDatabase } from '../../shared/documents/database.ts';
import { openLocalQueue } from '../../shared/tasks/local.ts';

const [file = '', mode, name = ''] = process.argv.slice(2);
const database = openDatabase(file);
const queue = openLocalQueue({
  database,
  clock: systemClock,
  concurrency: mode === 'hang' ? 20 : 0,
  deliver: async (_target, _payload, delivery) => {
    process.stdout.write(`${delivery.name} ${delivery.attempt}\n`);
    return new Promise(() => undefined);
  },
});
if (mode === 'enqueue') {
  await queue.enqueue({ name, target: 'job', payload: {} });
  await queue.close();
  database.close();
}
