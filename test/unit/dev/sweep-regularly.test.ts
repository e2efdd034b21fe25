import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sweepRegularly } from '../../../dev/serve.ts';
import type { SweepReport } from '../../../shared/http/services.ts';
import type { Logger } from '../../../shared/observability/logger.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function startSweeping() {
  let passes = 0;
  const pass = Promise.withResolvers<SweepReport>();
  const sweep = (): Promise<SweepReport> => {
    passes += 1;
    return pass.promise;
  };
  const log: Logger = { log: () => {}, with: () => log };
  const stop = sweepRegularly({ log }, { sweep }, 60);
  const stopping = (): { readonly done: () => boolean } => {
    let done = false;
    void stop().then(() => (done = true));
    return { done: () => done };
  };
  return { passes: () => passes, finish: () => pass.resolve({ actions: {} }), stopping };
}

describe('regular sweeps', () => {
  it('are stopped only when the running one is over, however many were due meanwhile', async () => {
    const sweeping = startSweeping();
    await vi.advanceTimersByTimeAsync(200_000);
    expect(sweeping.passes()).toBe(1);
    const stop = sweeping.stopping();
    await vi.advanceTimersByTimeAsync(5000);
    expect(stop.done()).toBe(false);
    sweeping.finish();
    await vi.advanceTimersByTimeAsync(0);
    expect(stop.done()).toBe(true);
    await vi.advanceTimersByTimeAsync(200_000);
    expect(sweeping.passes()).toBe(1);
  });

  it('are waited for ten seconds and no longer', async () => {
    const stop = startSweeping().stopping();
    await vi.advanceTimersByTimeAsync(9999);
    expect(stop.done()).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(stop.done()).toBe(true);
  });

  it('go on after each other', async () => {
    const sweeping = startSweeping();
    sweeping.finish();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(sweeping.passes()).toBe(3);
  });
});
