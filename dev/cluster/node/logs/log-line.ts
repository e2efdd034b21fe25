/**
 * The lines of a container's log file, as container runtimes write them: `<time> stdout|stderr F|P <text>`; `P` is a part of a line
 * that was too long or had no end.
 *
 * @module
 */
export type LogStream = 'stdout' | 'stderr';

/** A longer line is written in parts. */
export const LONGEST_PART = 16 * 1024;

export interface LogLine {
  readonly time: Date;
  /** With its newline, unless it is a part. */
  readonly text: Uint8Array;
  /** The line as it is shown with timestamps. */
  readonly withTime: Uint8Array;
}

const NEWLINE = 10;
const SPACE = 32;

export function formatLine(time: Date, stream: LogStream, text: Uint8Array, whole: boolean): Uint8Array {
  return Buffer.concat([Buffer.from(`${nanoTime(time)} ${stream} ${whole ? 'F' : 'P'} `), text, Buffer.from('\n')]);
}

/** A line of the file, without its newline; `undefined` for one that was cut. */
export function parseLine(line: Uint8Array): LogLine | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  const third = line.indexOf(SPACE, second + 1);
  if (first < 0 || second < 0 || third < 0) return undefined;
  const stamp = Buffer.from(line.subarray(0, first)).toString();
  const whole = line[second + 1] === 'F'.codePointAt(0);
  const text = whole ? Buffer.concat([line.subarray(third + 1), Uint8Array.of(NEWLINE)]) : line.subarray(third + 1);
  return { time: new Date(stamp), text, withTime: Buffer.concat([Buffer.from(`${stamp} `), text]) };
}

/** RFC 3339 with nanoseconds, as clients expect it; ours end in zeros. */
function nanoTime(time: Date): string {
  return time.toISOString().replace('Z', '000000Z');
}

/** Splits bytes at newlines. The last piece has none: it is not whole yet. */
export function splitLines(bytes: Uint8Array): { readonly lines: readonly Uint8Array[]; readonly rest: Uint8Array } {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return { lines, rest: bytes.subarray(start) };
}
