/**
 * A program in the pod that answers in the helper's place, with bytes of its own making: HTTP/2 frames by hand (RFC 9113 §4.1).
 */
import { once } from 'node:events';
import { duplexPair, type Duplex } from 'node:stream';

export const frameTypes = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  altsvc: 10,
} as const;
export const flags = { endStream: 1, ack: 1, endHeaders: 4 } as const;

/** `claimed` is the length that the frame says it has. */
export function frame(type: number, flag: number, stream: number, payload: Buffer = Buffer.alloc(0), claimed = payload.length): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(claimed, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flag, 4);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

/** HPACK (RFC 7541 §6.1, §6.2.2): `:status 200` is entry 8 of the static table. */
export const ok = Buffer.from([0x88]);

/** A header field with a literal name, never indexed. Names and values below 127 bytes. */
export function field(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x10, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
}

export interface Imitator {
  /** The control plane's end. */
  readonly stream: Duplex;
  /** How much the control plane has taken of what the imitator sends. */
  readonly sentBytes: () => number;
}

/** Answers SETTINGS, waits for the first request, then sends what `attack` yields, with backpressure, until it is cut off. */
export function imitate(attack: () => Iterable<Buffer>): Imitator {
  const [stream, end] = duplexPair();
  let sent = 0;
  const run = async (): Promise<void> => {
    end.write(frame(frameTypes.settings, 0, 0));
    await requestArrives(end);
    for (const bytes of attack()) {
      if (end.destroyed || stream.destroyed) return;
      sent += bytes.length;
      if (!end.write(bytes)) await Promise.race([once(end, 'drain'), once(stream, 'close')]);
      // The victim runs in this process and needs its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  end.on('error', () => undefined);
  stream.on('close', () => end.destroy());
  void run().catch(() => undefined);
  return { stream, sentBytes: () => sent };
}

/** The first HEADERS frame after the preface has been received in whole. */
async function requestArrives(end: Duplex): Promise<void> {
  let received = Buffer.alloc(0);
  await new Promise<void>((resolve) => {
    end.on('data', (chunk: Buffer) => {
      if (received.length > 100_000) return;
      received = Buffer.concat([received, chunk]);
      if (hasHeaders(received)) resolve();
    });
  });
}

const PREFACE_BYTES = 24;

function hasHeaders(received: Buffer): boolean {
  let at = PREFACE_BYTES;
  while (at + 9 <= received.length) {
    if (received.readUInt8(at + 3) === frameTypes.headers) return true;
    at += 9 + received.readUIntBE(at, 3);
  }
  return false;
}

export function* endlessly(...frames: readonly Buffer[]): Iterable<Buffer> {
  const many = Buffer.concat(Array.from({ length: 50 }, () => frames).flat());
  for (;;) yield many;
}

/** PUSH_PROMISE (RFC 9113 §6.6) of `GET http://h/`. */
function pushed(stream: number): Buffer {
  const promised = Buffer.alloc(4);
  promised.writeUInt32BE(stream);
  return frame(frameTypes.push, flags.endHeaders, 1, Buffer.concat([promised, Buffer.from([0x82, 0x84, 0x86]), field(':authority', 'h')]));
}

const longField = field('x-y', 'z'.repeat(100));

/** What each does, and whether it may not even be an answer. */
export const attacks: Readonly<Record<string, () => Iterable<Buffer>>> = {
  'garbage instead of HTTP/2': () => endlessly(Buffer.from('SSH-2.0-OpenSSH_9.6\r\n')),
  'an answer of HTTP/1.1': () => [Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')],
  'a frame longer than agreed': function* () {
    yield frame(frameTypes.data, 0, 1, Buffer.alloc(100), 0xff_ff_ff);
    yield* endlessly(Buffer.alloc(10_000));
  },
  'headers that go on for ever': function* () {
    yield frame(frameTypes.headers, 0, 1, ok);
    yield* endlessly(frame(frameTypes.continuation, 0, 1, longField));
  },
  'CONTINUATION frames without content': function* () {
    yield frame(frameTypes.headers, 0, 1, ok);
    yield* endlessly(frame(frameTypes.continuation, 0, 1));
  },
  'a thousand header fields': () => [
    frame(frameTypes.headers, 0, 1, Buffer.concat([ok, ...Array.from({ length: 100 }, () => longField)])),
    ...Array.from({ length: 3 }, () => frame(frameTypes.continuation, 0, 1, Buffer.concat(Array.from({ length: 100 }, () => longField)))),
    frame(frameTypes.continuation, flags.endHeaders, 1),
  ],
  'headers that cannot be unpacked': () => [frame(frameTypes.headers, flags.endHeaders, 1, Buffer.alloc(50, 0xff))],
  'informational headers without end': () =>
    endlessly(frame(frameTypes.headers, flags.endHeaders, 1, Buffer.concat([field(':status', '103')]))),
  'headers of a stream that nobody opened': () => endlessly(frame(frameTypes.headers, flags.endHeaders, 2, ok)),
  'an impossible window': () => [frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff]))],
  'settings that are none': () => [frame(frameTypes.settings, 0, 0, Buffer.alloc(5))],
  'more data than the window has': () => [
    frame(frameTypes.headers, flags.endHeaders, 1, ok),
    ...Array.from({ length: 400 }, () => frame(frameTypes.data, 0, 1, Buffer.alloc(65_536))),
  ],
};

/** Floods that HTTP/2 allows, or leaves to the receiver: they may go on until the caller's patience ends, in bounded memory. */
export const floods: Readonly<Record<string, () => Iterable<Buffer>>> = {
  'SETTINGS without end': () => endlessly(frame(frameTypes.settings, 0, 0, Buffer.from([0, 4, 0, 1, 0, 0]))),
  'PING without end': () => endlessly(frame(frameTypes.ping, 0, 0, Buffer.alloc(8))),
  'frames of unknown type': () => endlessly(frame(0x42, 0, 0, Buffer.alloc(200))),
  'pushed streams': () => Array.from({ length: 1000 }, (_, index) => pushed(2 * index + 2)),
  'ALTSVC frames': () => endlessly(frame(frameTypes.altsvc, 0, 0, Buffer.from('\0\x08http://xh2=":1"'))),
  'window updates of one byte': () => endlessly(frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0, 0, 0, 1]))),
  'empty DATA frames': function* () {
    yield frame(frameTypes.headers, flags.endHeaders, 1, ok);
    yield* endlessly(frame(frameTypes.data, 0, 1));
  },
  'nothing at all': () => [],
};
