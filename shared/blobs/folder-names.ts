/**
 * Names of blobs as paths below a folder, and back. Pure.
 *
 * Lower-case letters, digits, `-`, `_` and a dot that is not the first stand for themselves; all else is its UTF-8 bytes as `%` and two
 * digits. So no name leads out of the folder, and two names never become one on a file system that does not tell `A` from `a`. A
 * folder ends in `+`, which no encoded part holds: `a` and `a/b` may both be blobs.
 *
 * @module
 */
const PLAIN = /^[a-z0-9_-]$/;

/** Of folders; never part of an encoded name. */
const FOLDER_END = '+';

function encodePart(part: string): string {
  return [...part]
    .map((character, index) => (PLAIN.test(character) || (character === '.' && index > 0) ? character : percent(character)))
    .join('');
}

function percent(character: string): string {
  return [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

/** Parts of the path below the folder; the last one is the file. */
export function toPath(name: string): readonly string[] {
  const parts = name.split('/').map(encodePart);
  return parts.map((part, index) => (index === parts.length - 1 ? part : `${part}${FOLDER_END}`));
}

/** The parts of the path of a folder, whose prefix ends in a slash. */
export function toFolderPath(prefix: string): readonly string[] {
  return toPath(`${prefix}x`).slice(0, -1);
}

/** The part of a name that an entry of a folder stands for, with its slash where it is a folder; `undefined` where it is none of ours. */
export function fromEntry(entry: string): string | undefined {
  const folder = entry.endsWith(FOLDER_END);
  const encoded = folder ? entry.slice(0, -1) : entry;
  try {
    const part = decodeURIComponent(encoded);
    return encodePart(part) === encoded && part !== '' ? `${part}${folder ? '/' : ''}` : undefined;
  } catch {
    return undefined;
  }
}

/** By their UTF-8 bytes, as Cloud Storage orders names; JavaScript's own order is that of UTF-16. */
export function compareNames(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
