/**
 * A process that dies: after its n-th write to store, queue or cluster, nothing that it asks for is answered any more.
 *
 * The write itself has happened, as it has when a process is killed between a commit and the next line.
 */
import type { Dispatcher } from 'undici';
import type { DocumentStore } from '../../shared/documents/port.ts';
import type { TaskQueue } from '../../shared/tasks/port.ts';

export class Death extends Error {}

export class Mortal {
  /** What was written, in order: `store update`, `cluster POST /api/v1/namespaces`. */
  readonly writes: string[] = [];
  readonly #dieAfter: number;
  readonly #died = Promise.withResolvers<void>();
  #dead = false;

  constructor(dieAfter: number) {
    this.#dieAfter = dieAfter;
  }

  /** Resolves at death. */
  get died(): Promise<void> {
    return this.#died.promise;
  }

  #breathe(): void {
    if (this.#dead) throw new Death('dead');
  }

  #count(write: string): void {
    this.writes.push(write);
    if (this.writes.length !== this.#dieAfter) return;
    this.#dead = true;
    this.#died.resolve();
  }

  async #read<T>(call: () => Promise<T>): Promise<T> {
    this.#breathe();
    const result = await call();
    this.#breathe();
    return result;
  }

  async #write<T>(what: string, call: () => Promise<T>): Promise<T> {
    this.#breathe();
    const result = await call();
    // Between the commit and this line the process may have died of another write.
    this.#breathe();
    this.#count(what);
    this.#breathe();
    return result;
  }

  store(inner: DocumentStore): DocumentStore {
    return {
      get: (key) => this.#read(() => inner.get(key)),
      query: (collection, query) => this.#read(() => inner.query(collection, query)),
      create: (key, data) => this.#write(`store create ${key.collection}`, () => inner.create(key, data)),
      update: (key, data, version) => this.#write(`store update ${key.collection}`, () => inner.update(key, data, version)),
      delete: (key, version) => this.#write(`store delete ${key.collection}`, () => inner.delete(key, version)),
      transact: (keys, decide) => this.#write('store transact', () => inner.transact(keys, decide)),
      changes: (collection, signal) => inner.changes(collection, signal),
      close: () => inner.close(),
    };
  }

  queue(inner: TaskQueue): TaskQueue {
    return {
      enqueue: (task) => this.#write(`queue enqueue ${task.target}`, () => inner.enqueue(task)),
      withdraw: (name) => this.#write('queue withdraw', () => inner.withdraw(name)),
      close: () => inner.close(),
    };
  }

  /** For the transport to Kubernetes: counts what changes the cluster when its answer has come, and lets nothing out after death. */
  readonly interceptor: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
    this.#breathe();
    const changes = options.method !== 'GET' && !options.path.includes('dryRun');
    return dispatch(options, {
      onRequestStart: (controller, context) => handler.onRequestStart?.(controller, context),
      onResponseStart: (controller, statusCode, headers, statusMessage) => {
        if (this.#dead) return controller.abort(new Death('dead'));
        handler.onResponseStart?.(controller, statusCode, headers, statusMessage);
      },
      onResponseData: (controller, chunk) => {
        if (this.#dead) return controller.abort(new Death('dead'));
        handler.onResponseData?.(controller, chunk);
      },
      onResponseEnd: (controller, trailers) => {
        if (changes && !this.#dead) this.#count(`cluster ${options.method} ${options.path.split('?', 1).join('')}`);
        if (this.#dead) handler.onResponseError?.(controller, new Death('dead'));
        else handler.onResponseEnd?.(controller, trailers);
      },
      onResponseError: (controller, error) => handler.onResponseError?.(controller, error),
    });
  };
}
