import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { AppError } from '../../../shared/errors/app-error.ts';
import { createHelperPool, type ChannelMode } from '../../../shared/helper/pool.ts';
import type { ChannelKind } from '../../../shared/helper/model.ts';
import type { HelperPool, PodTarget, Transport } from '../../../shared/helper/port.ts';
import { createMetrics } from '../../../shared/observability/create-metrics.ts';
import type { Logger } from '../../../shared/observability/logger.ts';
import { startFakeHelper, type FakeHelper } from '../../fakes/fake-helper.ts';
import { attacks, imitate } from '../../fakes/imitator.ts';

const never = new AbortController().signal;
const log: Logger = { log: () => undefined, with: () => log };
const closing: (() => unknown)[] = [];

function target(podUid = 'uid-1', secret: Uint8Array | undefined = new Uint8Array(32)): PodTarget {
  return { sessionId: 's', generation: 1, podUid, namespace: 'n', pod: 'p', container: 'c', delivery: 'upload', secret };
}

interface Opened {
  readonly kind: ChannelKind;
  readonly signal: AbortSignal;
}

interface Rig {
  readonly pool: HelperPool;
  readonly clock: { time: number };
  readonly opened: Opened[];
  readonly helper: FakeHelper;
  readonly metrics: () => Promise<string>;
}

type Open = Transport['open'];

function start(
  mode: ChannelMode,
  open: (helper: FakeHelper) => Partial<Record<ChannelKind, Open>>,
  options: { readonly idleMs?: number; readonly mostChannels?: number; readonly helper?: FakeHelper } = {},
): Rig {
  const helper = options.helper ?? startFakeHelper();
  const clock = { time: 1_000_000 };
  const opened: Opened[] = [];
  const metrics = createMetrics();
  const transports = Object.entries(open(helper)).map(([name, dial]): Transport => {
    const kind = name as ChannelKind;
    return {
      kind,
      open: (to, signal) => {
        opened.push({ kind, signal });
        return dial(to, signal);
      },
    };
  });
  const pool = createHelperPool({ transports, mode, clock: { now: () => new Date(clock.time) }, log, metrics, ...options });
  closing.push(
    () => pool.close(),
    () => helper.stop(),
  );
  return { pool, clock, opened, helper, metrics: async () => (await metrics.render()).body };
}

const works =
  (helper: FakeHelper): Open =>
  () =>
    Promise.resolve(helper.connect());
const refuses: Open = () => Promise.reject(new AppError('helper_unreachable', 'no route'));
const hangs: Open = (_target, signal) =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('the pool of channels', () => {
  it('opens one channel for a hundred callers at once', async () => {
    const { pool, opened, helper } = start('direct', (fake) => ({ direct: works(fake) }));
    const channels = await Promise.all(Array.from({ length: 100 }, () => pool.channel(target(), never)));
    expect(new Set(channels).size).toBe(1);
    expect(channels[0]).toMatchObject({ kind: 'direct', bootId: 'boot-1', closed: false });
    expect(opened).toHaveLength(1);
    expect(helper.connections()).toBe(1);
    expect(helper.requests()).toBe(1);
    expect(pool.size).toBe(1);
  });

  it('opens one for each pod', async () => {
    const { pool } = start('direct', (fake) => ({ direct: works(fake) }));
    const [one, other] = await Promise.all(['a', 'b'].map((uid) => pool.channel(target(uid), never)));
    expect(one).not.toBe(other);
    expect(pool.size).toBe(2);
  });

  it('goes on opening when one of the callers leaves, and stops when the last one does', async () => {
    const { pool, opened } = start('direct', () => ({ direct: hangs }));
    const callers = [new AbortController(), new AbortController()];
    const waits = callers.map(({ signal }) => pool.channel(target(), signal));
    callers[0]?.abort(new Error('first left'));
    await expect(waits[0]).rejects.toThrow('first left');
    expect(opened[0]?.signal.aborted).toBe(false);
    callers[1]?.abort(new Error('second left'));
    await expect(waits[1]).rejects.toThrow('second left');
    expect(opened[0]?.signal.aborted).toBe(true);
    expect(pool.size).toBe(0);
  });

  it('starts anew for who comes after everybody had left', async () => {
    let dial: Open = hangs;
    const { pool, helper } = start('direct', () => ({ direct: (to, signal) => dial(to, signal) }));
    const abort = new AbortController();
    const left = pool.channel(target(), abort.signal);
    abort.abort(new Error('left'));
    dial = works(helper);
    const channel = pool.channel(target(), never);
    await expect(left).rejects.toThrow('left');
    expect((await channel).closed).toBe(false);
  });

  it('tells everybody why it could not be opened, and tries again for the next', async () => {
    let dial: Open = refuses;
    const { pool, opened, helper, metrics } = start('direct', () => ({ direct: (to, signal) => dial(to, signal) }));
    const results = await Promise.allSettled([1, 2, 3].map(() => pool.channel(target(), never)));
    expect(results.map((each) => each.status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(opened).toHaveLength(1);
    dial = works(helper);
    await pool.channel(target(), never);
    expect(await metrics()).toContain('berth_helper_channels_failed_total{code="helper_unreachable"} 1');
    expect(await metrics()).toContain('berth_helper_channels_opened_total{kind="direct"} 1');
  });

  it('takes direct where it works, exec where it does not, and asks once per pod', async () => {
    const one = start('auto', (fake) => ({ direct: works(fake), exec: works(fake) }));
    expect((await one.pool.channel(target(), never)).kind).toBe('direct');
    const two = start('auto', (fake) => ({ direct: refuses, exec: works(fake) }));
    const channel = await two.pool.channel(target(), never);
    expect(channel.kind).toBe('exec');
    channel.close();
    expect((await two.pool.channel(target(), never)).kind).toBe('exec');
    expect(two.opened.map(({ kind }) => kind)).toEqual(['direct', 'exec', 'exec']);
    two.pool.forget('uid-1');
    await two.pool.channel(target(), never);
    expect(two.opened.map(({ kind }) => kind).slice(3)).toEqual(['direct', 'exec']);
  });

  it('reaches a pod without a secret by exec, whatever the configuration says by now', async () => {
    for (const mode of ['direct', 'port-forward', 'auto'] as const) {
      const { pool, opened } = start(mode, (fake) => ({ direct: refuses, 'port-forward': refuses, exec: works(fake) }));
      const pod: PodTarget = { ...target(), secret: undefined };
      await pool.deliver(pod, never);
      expect((await pool.channel(pod, never)).kind).toBe('exec');
      expect(opened.map(({ kind }) => kind)).toEqual(['exec']);
    }
  });

  it('delivers by exec what is then reached directly', async () => {
    const { pool, opened } = start('direct', (fake) => ({ direct: works(fake), exec: works(fake) }));
    await pool.deliver(target(), never);
    expect((await pool.channel(target(), never)).kind).toBe('direct');
    await pool.deliver({ ...target(), delivery: 'init' }, never);
    expect(opened.map(({ kind }) => kind)).toEqual(['exec', 'direct']);
  });

  it('gives direct half a second', async () => {
    const { pool } = start('auto', (fake) => ({ direct: hangs, exec: works(fake) }));
    const before = performance.now();
    expect((await pool.channel(target(), never)).kind).toBe('exec');
    expect(performance.now() - before).toBeGreaterThan(450);
    expect(performance.now() - before).toBeLessThan(3_000);
  });

  it('takes exec at once for a pod that has no secret', async () => {
    const { pool, opened } = start('auto', (fake) => ({ direct: works(fake), exec: works(fake) }));
    const { secret: _secret, ...rest } = target();
    expect((await pool.channel({ ...rest, secret: undefined }, never)).kind).toBe('exec');
    expect(opened).toHaveLength(1);
  });

  it('never swaps a kind that was chosen, even where it fails later', async () => {
    let direct: Open = refuses;
    const { pool, helper } = start('auto', (fake) => ({ direct: (to, signal) => direct(to, signal), exec: works(fake) }));
    direct = works(helper);
    const channel = await pool.channel(target(), never);
    direct = refuses;
    channel.close();
    await expect(pool.channel(target(), never)).rejects.toMatchObject({ code: 'helper_unreachable' });
  });

  for (const [protocol, served] of [
    [0, false],
    [1, true],
    [2, true],
    [3, true],
    [4, false],
  ] as const) {
    it(`${served ? 'serves' : 'refuses'} a helper of protocol ${String(protocol)}`, async () => {
      const { pool } = start('direct', (fake) => ({ direct: works(fake) }), { helper: startFakeHelper({ protocol }) });
      const channel = pool.channel(target(), never);
      if (served) expect((await channel).closed).toBe(false);
      else await expect(channel).rejects.toMatchObject({ code: 'helper_outdated' });
      expect(pool.size).toBe(served ? 1 : 0);
    });
  }

  it('refuses what imitates a helper', async () => {
    const attack = attacks['garbage instead of HTTP/2'] ?? (() => []);
    const { pool } = start('direct', () => ({ direct: () => Promise.resolve(imitate(attack).stream) }));
    await expect(pool.channel(target(), never)).rejects.toMatchObject({ code: 'helper_protocol_error' });
    expect(pool.size).toBe(0);
  });

  it('forgets a channel that dies, and opens another one', async () => {
    const { pool, helper, opened } = start('direct', (fake) => ({ direct: works(fake) }));
    const first = await pool.channel(target(), never);
    first.close();
    expect(pool.size).toBe(0);
    expect(await pool.channel(target(), never)).not.toBe(first);
    expect(opened).toHaveLength(2);
    expect(helper.connections()).toBe(2);
  });

  it('pings what lay unused for 5 s, once for all who come, and opens another one where it is dead', async () => {
    const helper = startFakeHelper();
    const frozen = startFakeHelper();
    let connect = (): ReturnType<FakeHelper['connect']> => frozen.connect();
    const { pool, clock, opened } = start('direct', () => ({ direct: () => Promise.resolve(connect()) }), { helper });
    closing.push(() => frozen.stop());
    const first = await pool.channel(target(), never);
    clock.time += 6_000;
    expect(await pool.channel(target(), never)).toBe(first);
    frozen.freeze();
    connect = () => helper.connect();
    expect(await pool.channel(target(), never)).toBe(first);
    clock.time += 6_000;
    const again = await Promise.all(Array.from({ length: 20 }, () => pool.channel(target(), never)));
    expect(new Set(again).size).toBe(1);
    expect(again[0]).not.toBe(first);
    expect(first.closed).toBe(true);
    expect(opened).toHaveLength(2);
  });

  it('closes what nobody has used for a while, and nothing that is in use', async () => {
    const { pool, clock } = start('direct', (fake) => ({ direct: works(fake) }), { idleMs: 50 });
    const busy = await pool.channel(target('busy'), never);
    const { body } = await busy.request({ method: 'GET', path: '/big?bytes=90000000', signal: never });
    const idle = await pool.channel(target('idle'), never);
    clock.time += 60;
    await expect.poll(() => idle.closed).toBe(true);
    expect(busy.closed).toBe(false);
    body.destroy();
    await expect.poll(() => busy.closed || void (clock.time += 60)).toBe(true);
    expect(pool.size).toBe(0);
  });

  it('closes the channel that lay unused the longest when there are too many, and refuses where all are in use', async () => {
    const { pool, clock } = start('direct', (fake) => ({ direct: works(fake) }), { mostChannels: 2 });
    const one = await pool.channel(target('one'), never);
    clock.time += 1;
    const two = await pool.channel(target('two'), never);
    clock.time += 1;
    const three = await pool.channel(target('three'), never);
    expect([one.closed, two.closed, three.closed]).toEqual([true, false, false]);
    for (const channel of [two, three]) await channel.request({ method: 'GET', path: '/big?bytes=90000000', signal: never });
    await expect(pool.channel(target('four'), never)).rejects.toMatchObject({ code: 'helper_unreachable' });
    expect(pool.size).toBe(2);
  });

  it('closes everything at the end', async () => {
    const { pool } = start('direct', (fake) => ({ direct: works(fake) }));
    const channel = await pool.channel(target(), never);
    expect(await text((await channel.request({ method: 'GET', path: '/health', signal: never })).body)).toContain('boot-1');
    await pool.close();
    expect(channel.closed).toBe(true);
    await expect(pool.channel(target(), never)).rejects.toMatchObject({ code: 'helper_unreachable' });
  });
});
