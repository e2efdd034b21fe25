import { createHash, randomBytes } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { openFolderBlobs } from '../../shared/blobs/folder.ts';
import type { BlobStore } from '../../shared/blobs/port.ts';
import { type BlobFixture, implementations, readAll, refusal } from './blobs-fixture.ts';

const MIB = 1024 * 1024;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe.each(implementations)('a blob store: $name', { timeout: 60_000 }, ({ start, missing }) => {
  if (missing !== undefined) return void it.skip(missing);
  let fixture: BlobFixture;
  let blobs: BlobStore;
  let folder: string;
  beforeAll(async () => {
    fixture = await start();
    ({ blobs } = fixture);
  });
  afterAll(() => fixture.close());
  beforeEach(() => {
    folder = `t${randomBytes(4).toString('hex')}`;
  });

  const text = async (name: string, range?: { start: number; length?: number }): Promise<string> => {
    const { body } = await blobs.get(name, range === undefined ? {} : { range });
    return (await readAll(body)).toString();
  };
  const names = async (prefix: string, limit = 100): Promise<string[]> => {
    const page = await blobs.list(prefix, { limit });
    return page.blobs.map(({ name }) => name.slice(folder.length + 1));
  };

  it('gives back what was put, with its size, type and time', async () => {
    const before = Date.now();
    const put = await blobs.put(`${folder}/a.txt`, bytes('hello'), { contentType: 'text/plain; charset=utf-8' });
    expect(put).toMatchObject({ name: `${folder}/a.txt`, size: 5, contentType: 'text/plain; charset=utf-8' });
    const { stat, body } = await blobs.get(`${folder}/a.txt`);
    expect((await readAll(body)).toString()).toBe('hello');
    expect(stat).toEqual(await blobs.stat(`${folder}/a.txt`));
    expect(stat).toMatchObject({ size: 5, contentType: 'text/plain; charset=utf-8' });
    expect(Math.abs(stat.updatedAt.getTime() - before)).toBeLessThan(30_000);
  });

  it('takes nothing at all for a blob, and bytes of no known type', async () => {
    await blobs.put(`${folder}/empty`, new Uint8Array());
    expect(await blobs.stat(`${folder}/empty`)).toMatchObject({ size: 0, contentType: 'application/octet-stream' });
    expect(await text(`${folder}/empty`)).toBe('');
    expect(await text(`${folder}/empty`, { start: 3 })).toBe('');
  });

  it('replaces a blob whole, its type too', async () => {
    await blobs.put(`${folder}/a`, bytes('a long first version'), { contentType: 'text/plain' });
    await blobs.put(`${folder}/a`, bytes('short'), { contentType: 'application/json' });
    expect(await text(`${folder}/a`)).toBe('short');
    expect(await blobs.stat(`${folder}/a`)).toMatchObject({ size: 5, contentType: 'application/json' });
  });

  it('never replaces one with ifAbsent, and lets exactly one of many through', async () => {
    const attempts = await Promise.allSettled(
      Array.from({ length: 8 }, (_, n) => blobs.put(`${folder}/once`, bytes(`v${n}`), { ifAbsent: true })),
    );
    expect(attempts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(blobs.put(`${folder}/once`, bytes('late'), { ifAbsent: true })).rejects.toMatchObject(refusal('already_exists'));
    const winner = attempts.findIndex(({ status }) => status === 'fulfilled');
    expect(await text(`${folder}/once`)).toBe(`v${winner}`);
  });

  it('says not_found of what is not there', async () => {
    await expect(blobs.get(`${folder}/nothing`)).rejects.toMatchObject(refusal('not_found'));
    expect(await blobs.stat(`${folder}/nothing`)).toBeUndefined();
    await blobs.delete(`${folder}/nothing`);
    expect(await blobs.deletePrefix(`${folder}/nothing/`)).toBe(0);
    expect(await blobs.list(`${folder}/nothing`, { limit: 1 })).toEqual({ blobs: [] });
  });

  it.each([
    ['a middle', { start: 2, length: 3 }, '234'],
    ['an end', { start: 8 }, '89'],
    ['more than there is', { start: 5, length: 100 }, '56789'],
    ['nothing', { start: 4, length: 0 }, ''],
    ['what begins at the end', { start: 10 }, ''],
    ['what begins behind the end', { start: 99, length: 5 }, ''],
  ])('reads %s of a blob', async (_what, range, expected) => {
    await blobs.put(`${folder}/digits`, bytes('0123456789'));
    expect(await text(`${folder}/digits`, range)).toBe(expected);
    const { stat, body } = await blobs.get(`${folder}/digits`, { range });
    await body.cancel();
    expect(stat.size).toBe(10);
  });

  it('streams what is larger than its memory, both ways', async () => {
    const block = randomBytes(MIB);
    const written = createHash('sha256');
    async function* source(): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 24; n += 1) {
        block[0] = n;
        written.update(block);
        yield Buffer.from(block);
      }
    }
    expect(await blobs.put(`${folder}/large`, source())).toMatchObject({ size: 24 * MIB });
    const read = createHash('sha256');
    const { body } = await blobs.get(`${folder}/large`);
    for await (const chunk of body) read.update(chunk);
    expect(read.digest('hex')).toBe(written.digest('hex'));
  });

  it('leaves nothing of a body that fails, and what was there before', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield bytes('half');
      throw new Error('the source broke');
    }
    await expect(blobs.put(`${folder}/new`, failing())).rejects.toThrow('the source broke');
    expect(await blobs.stat(`${folder}/new`)).toBeUndefined();
    await blobs.put(`${folder}/old`, bytes('whole'));
    await expect(blobs.put(`${folder}/old`, failing())).rejects.toThrow('the source broke');
    expect(await text(`${folder}/old`)).toBe('whole');
    expect(await names(folder)).toEqual(['old']);
  });

  it('stops for a signal while the body has stalled, and leaves nothing', async () => {
    const stop = new AbortController();
    async function* stalling(): AsyncGenerator<Uint8Array> {
      yield bytes('begun');
      stop.abort(new Error('enough'));
      await new Promise(() => undefined);
    }
    await expect(blobs.put(`${folder}/stalled`, stalling(), { signal: stop.signal })).rejects.toThrow('enough');
    expect(await blobs.stat(`${folder}/stalled`)).toBeUndefined();
    await expect(blobs.get(`${folder}/stalled`, { signal: stop.signal })).rejects.toThrow('enough');
  });

  it('ends a reading that is aborted with the reason', async () => {
    await blobs.put(`${folder}/a`, randomBytes(4 * MIB));
    const stop = new AbortController();
    const { body } = await blobs.get(`${folder}/a`, { signal: stop.signal });
    const reader = body.getReader();
    expect((await reader.read()).done).toBe(false);
    stop.abort(new Error('enough'));
    const drained = (async () => {
      while (!(await reader.read()).done);
    })();
    await expect(drained).rejects.toThrow('enough');
  });

  it('lets go of the signal when a reading is cancelled', async () => {
    await blobs.put(`${folder}/cancelled`, Buffer.alloc(300_000));
    const { signal } = new AbortController();
    const { body } = await blobs.get(`${folder}/cancelled`, { signal });
    const reader = body.getReader();
    await reader.read();
    await reader.cancel();
    await vi.waitFor(() => expect(getEventListeners(signal, 'abort')).toEqual([]));
  });

  it('lists what begins with a prefix in the order of bytes, a page at a time', async () => {
    const all = ['a', 'a-b', 'a/b', 'a/b/c', 'a0', 'aé', 'b/x', 'B', 'z~', 'ü', '😀', 'ﬀ'];
    for (const name of all) await blobs.put(`${folder}/${name}`, bytes(name));
    const ordered = all.toSorted((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    expect(await names(`${folder}/`)).toEqual(ordered);
    expect(await names(`${folder}/a`)).toEqual(ordered.filter((name) => name.startsWith('a')));
    expect(await names(`${folder}/a/`)).toEqual(['a/b', 'a/b/c']);
    for (const limit of [1, 5, 11, 12, 13]) {
      const found: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await blobs.list(`${folder}/`, { limit, ...(cursor === undefined ? {} : { cursor }) });
        expect(page.blobs.length).toBeLessThanOrEqual(limit);
        found.push(...page.blobs.map(({ name }) => name.slice(folder.length + 1)));
        cursor = page.nextCursor;
      } while (cursor !== undefined);
      expect(found).toEqual(ordered);
    }
    const [first] = (await blobs.list(`${folder}/`, { limit: 1 })).blobs;
    expect(first).toEqual(await blobs.stat(`${folder}/B`));
  });

  it('goes on behind the cursor where blobs came and went meanwhile', async () => {
    for (const name of ['b', 'd', 'f']) await blobs.put(`${folder}/${name}`, bytes(name));
    const { nextCursor = '' } = await blobs.list(`${folder}/`, { limit: 2 });
    await blobs.delete(`${folder}/d`);
    for (const name of ['a', 'e']) await blobs.put(`${folder}/${name}`, bytes(name));
    const second = await blobs.list(`${folder}/`, { limit: 5, cursor: nextCursor });
    expect(second.blobs.map(({ name }) => name)).toEqual([`${folder}/e`, `${folder}/f`]);
  });

  it('refuses the cursor of another prefix, and garbage', async () => {
    for (const name of ['a', 'b']) await blobs.put(`${folder}/${name}`, bytes(name));
    const { nextCursor = '' } = await blobs.list(`${folder}/`, { limit: 1 });
    for (const cursor of ['', 'x', '!!', `${nextCursor}A`]) {
      await expect(blobs.list(`${folder}/`, { limit: 1, cursor })).rejects.toMatchObject(refusal('invalid_cursor'));
    }
    await expect(blobs.list(folder, { limit: 1, cursor: nextCursor })).rejects.toMatchObject(refusal('invalid_cursor'));
  });

  it('deletes one, and all below a prefix but nothing beside it', async () => {
    for (const name of ['a', 'a/1', 'a/2/x', 'ab', 'b']) await blobs.put(`${folder}/${name}`, bytes(name));
    await blobs.delete(`${folder}/b`);
    expect(await blobs.deletePrefix(`${folder}/a/`)).toBe(2);
    expect(await names(`${folder}/`)).toEqual(['a', 'ab']);
    await blobs.put(`${folder}/a/3`, bytes('again'));
    expect(await text(`${folder}/a/3`)).toBe('again');
  });

  it.each([
    ['an empty name', ''],
    ['a way up', '../a'],
    ['a way up inside', 'a/../b'],
    ['a dot', 'a/./b'],
    ['an absolute path', '/a'],
    ['a slash at the end', 'a/'],
    ['two slashes', 'a//b'],
    ['a NUL', 'a\0b'],
    ['a line feed', 'a\nb'],
    ['half a character', 'a\ud800'],
    ['a long part', 'x'.repeat(65)],
    ['a long name', Array.from({ length: 9 }, () => 'x'.repeat(60)).join('/')],
  ])('refuses %s for a name, whatever is asked', async (_what, name) => {
    await expect(blobs.put(name, bytes('x'))).rejects.toMatchObject(refusal('invalid_argument'));
    await expect(blobs.get(name)).rejects.toMatchObject(refusal('invalid_argument'));
    await expect(blobs.stat(name)).rejects.toMatchObject(refusal('invalid_argument'));
    await expect(blobs.delete(name)).rejects.toMatchObject(refusal('invalid_argument'));
  });

  it('takes names that file systems do not', async () => {
    const odd = ['..a', 'a:b', 'a*?', 'CON', 'con', '%2e%2e', 'a b', 'a+', '.drafts', '\\', 'é'.repeat(32)];
    for (const name of odd) await blobs.put(`${folder}/${name}/${name}`, bytes(name));
    for (const name of odd) expect(await text(`${folder}/${name}/${name}`)).toBe(name);
    expect(await names(`${folder}/`)).toHaveLength(odd.length);
  });

  it('refuses what no store can do', async () => {
    const refused = refusal('invalid_argument');
    await blobs.put(`${folder}/a`, bytes('x'));
    await expect(blobs.get(`${folder}/a`, { range: { start: -1 } })).rejects.toMatchObject(refused);
    await expect(blobs.get(`${folder}/a`, { range: { start: 0, length: 0.5 } })).rejects.toMatchObject(refused);
    await expect(blobs.list('', { limit: 0 })).rejects.toMatchObject(refused);
    await expect(blobs.list('../', { limit: 1 })).rejects.toMatchObject(refused);
    await expect(blobs.deletePrefix('')).rejects.toMatchObject(refused);
    await expect(blobs.deletePrefix('a')).rejects.toMatchObject(refused);
    await expect(blobs.deletePrefix('../')).rejects.toMatchObject(refused);
    await expect(blobs.put(`${folder}/a`, bytes('x'), { contentType: 'text/plain\nX: y' })).rejects.toMatchObject(refused);
  });
});

describe('blobs in a folder', () => {
  it('take what they are given once what kept them from tidying up is gone', async () => {
    const root = mkdtempSync(join(tmpdir(), 'berth-blobs-'));
    const drafts = join(root, '.drafts');
    mkdirSync(drafts);
    symlinkSync('loop', join(drafts, 'loop'));
    const folder = openFolderBlobs(root);
    await expect(folder.put('a', Buffer.from('1'))).rejects.toMatchObject(refusal('unavailable'));
    rmSync(join(drafts, 'loop'));
    expect((await folder.put('a', Buffer.from('1'))).size).toBe(1);
    rmSync(root, { recursive: true });
  });
});
