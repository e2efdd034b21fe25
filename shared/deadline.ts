/**
 * A time limit that is given back when the work is done.
 *
 * `AbortSignal.timeout` keeps its timer, and with it all that the timer's asynchronous context holds (under the functions framework:
 * the whole request), until the time is over, however early the work ends.
 *
 * @module
 */
export interface Deadline extends Disposable {
  /** Aborts with a `TimeoutError` when the time is over, or with the reason of `within` when that aborts first. */
  readonly signal: AbortSignal;
}

/** Usage: `using deadline = startDeadline(5000)`. */
export function startDeadline(milliseconds: number, within?: AbortSignal): Deadline {
  const controller = new AbortController();
  const expire = (): void => controller.abort(new DOMException(`not done within ${milliseconds} ms`, 'TimeoutError'));
  const timer = setTimeout(expire, milliseconds);
  const signal = within === undefined ? controller.signal : AbortSignal.any([within, controller.signal]);
  return { signal, [Symbol.dispose]: () => clearTimeout(timer) };
}
