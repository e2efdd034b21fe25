/**
 * JSON lines out of a byte stream, wherever its chunks are cut: within a line, within a character.
 *
 * @module
 */
const NEWLINE = 0x0a;

/** Yields each line's value. Memory is bounded by one line; a longer line, or one that is no JSON, throws. A last line without its end is dropped: it was cut. */
export async function* parseJsonLines(chunks: AsyncIterable<Uint8Array>, maxLineBytes: number): AsyncGenerator<unknown, void, void> {
  let pending: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...pending, chunk.subarray(start, end)]).toString();
      pending = [];
      size = 0;
      start = end + 1;
      if (line.trim() !== '') yield JSON.parse(line);
    }
    if (start === chunk.length) continue;
    pending.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > maxLineBytes) throw new RangeError(`A line is longer than ${String(maxLineBytes)} bytes.`);
  }
}
