/**
 * Packs a program as small as Node 24 can unpack it without settings.
 *
 * @module
 */
import { promisify } from 'node:util';
import { brotliCompress, constants, zstdCompress } from 'node:zlib';

const brotli = promisify(brotliCompress);
const zstd = promisify(zstdCompress);

export interface Packed {
  readonly bytes: Buffer;
  /** The ending of its file's name. */
  readonly ending: 'br' | 'zst';
}

/** A window of 8 MiB reaches across a whole program; a larger one doubles the time and gains nothing. */
const WINDOW_BITS = 23;

/** The smaller of brotli and zstd, each at its best. Takes about 20 s. */
export async function pack(program: Buffer): Promise<Packed> {
  const candidates: Packed[] = [
    {
      ending: 'br',
      bytes: await brotli(program, {
        params: {
          [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
          [constants.BROTLI_PARAM_LGWIN]: WINDOW_BITS,
          [constants.BROTLI_PARAM_SIZE_HINT]: program.length,
        },
      }),
    },
    { ending: 'zst', bytes: await zstd(program, { params: { [constants.ZSTD_c_compressionLevel]: 22 }, pledgedSrcSize: program.length }) },
  ];
  return candidates.reduce((best, next) => (next.bytes.length < best.bytes.length ? next : best));
}
