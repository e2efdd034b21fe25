/**
 * JSON Patch (RFC 6902).
 *
 * @module
 */
import { deepEqual, isTree, setMember } from '../json.ts';
import { badRequest, StatusError } from '../status.ts';

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** Kubernetes answers a failed operation (also a failed `test`) with this and nothing more. */
function rejected(): StatusError {
  return new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
}

/** Applies the operations to a copy. Throws 400 where the patch is none, 422 where an operation fails. */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp');
  // RFC 6902 applies one operation after the other; the whole is discarded if one fails.
  return patch.reduce<unknown>((value, operation) => applyOperation(value, readOperation(operation)), structuredClone(target));
}

function readOperation(value: unknown): Operation {
  if (!isTree(value) || typeof value['op'] !== 'string' || typeof value['path'] !== 'string') throw rejected();
  const { op, path, from } = value;
  return { op, path, ...(typeof from === 'string' && { from }), ...('value' in value && { value: value['value'] }) };
}

function applyOperation(target: unknown, { op, path, from, value }: Operation): unknown {
  switch (op) {
    case 'add':
      return write(target, pointer(path), value, 'add');
    case 'replace':
      return write(target, pointer(path), value, 'replace');
    case 'remove':
      return write(target, pointer(path), undefined, 'remove');
    case 'test':
      if (!deepEqual(read(target, pointer(path)), value)) throw rejected();
      return target;
    case 'move': {
      const moved = read(target, pointer(from));
      return write(write(target, pointer(from), undefined, 'remove'), pointer(path), moved, 'add');
    }
    case 'copy':
      return write(target, pointer(path), structuredClone(read(target, pointer(from))), 'add');
    default:
      throw rejected();
  }
}

function pointer(text: string | undefined): readonly string[] {
  if (text === undefined || (text !== '' && !text.startsWith('/'))) throw rejected();
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(target: unknown, path: readonly string[]): unknown {
  let value = target;
  for (const part of path) {
    if (Array.isArray(value)) value = value[position(part, value.length - 1)];
    else if (isTree(value) && Object.hasOwn(value, part)) value = value[part];
    else throw rejected();
  }
  return value;
}

function position(part: string, highest: number): number {
  const index = /^(0|[1-9]\d*)$/.test(part) ? Number(part) : Number.NaN;
  if (!(index <= highest)) throw rejected();
  return index;
}

function write(target: unknown, path: readonly string[], value: unknown, action: 'add' | 'replace' | 'remove'): unknown {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = read(target, path.slice(0, -1));
  if (Array.isArray(parent)) {
    if (action === 'add') parent.splice(last === '-' ? parent.length : position(last, parent.length), 0, value);
    else parent.splice(position(last, parent.length - 1), 1, ...(action === 'replace' ? [value] : []));
    return target;
  }
  if (!isTree(parent)) throw rejected();
  if (action !== 'add' && !Object.hasOwn(parent, last)) throw rejected();
  if (action === 'remove') delete parent[last];
  else setMember(parent, last, value);
  return target;
}
