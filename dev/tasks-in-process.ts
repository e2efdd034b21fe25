/**
 * The `tasks` unit in the process of `npm start`: the local queue's deliveries go to the same app as Cloud Tasks' would, without a port.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { internalSecretHeader, secretAuth } from '../shared/auth/internal.ts';
import { Secret } from '../shared/auth/secret.ts';
import type { Deps } from '../shared/deps.ts';
import { createTasksApp } from '../shared/http/create-tasks-app.ts';
import type { Services } from '../shared/http/services.ts';
import type { Deliver } from '../shared/tasks/local.ts';

export interface TasksInProcess {
  readonly deliver: Deliver;
  /** From then on deliveries arrive; those before wait. The queue is part of what the app is made from, hence in two steps. */
  serve(deps: Deps, services: Services): void;
}

export function deliverInProcess(): TasksInProcess {
  const secret = randomBytes(32).toString('base64url');
  const app = Promise.withResolvers<ReturnType<typeof createTasksApp>>();
  return {
    serve: (deps, services) => app.resolve(createTasksApp(deps, services, secretAuth(new Secret(secret)))),
    deliver: async (target, payload, { signal }) => {
      const response = await (
        await app.promise
      ).request(`/tasks/${target}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', [internalSecretHeader]: secret },
        body: JSON.stringify(payload),
        signal,
      });
      return response.status;
    },
  };
}
