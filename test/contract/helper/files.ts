/**
 * Files: no image needs anything for them.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { beforeAll, describe, expect, test } from 'vitest';
import type { FilePath } from '../../../shared/helper/client-files.ts';
import { newId } from '../../../shared/ids.ts';
import { soon } from './run.ts';
import type { HelperSubject } from './subject.ts';

const MIB = 1024 * 1024;
const oddNames = ['two words', `"quoted" and 'quoted'`, 'new\nline', '-rf', '.hidden', '%41+&?#', 'ünïcödé 🚢', '$HOME', '\\'];
/** Latin-1; no UTF-8. */
const notUtf8 = Buffer.from([0x63, 0x61, 0x66, 0xe9]);

export function describeFiles({ way, open }: HelperSubject): void {
  describe.concurrent('files', () => {
    const root = `/workspace/${newId()}`;
    const files = () => way().client.files;
    const put = (path: FilePath, body: Uint8Array | Readable) =>
      files().write(path, { upload: newId(), offset: 0, body, commit: {} }, soon());
    const content = async (path: FilePath, range = {}) => buffer((await files().read(path, range, soon())).body);

    beforeAll(async () => {
      await files().mkdir(root, {}, soon());
    });

    test('are written in parts, and appear at once when they are whole', async () => {
      const path = `${root}/parts`;
      const whole = Buffer.from(Array.from({ length: 3 * MIB }, (_, index) => (index * 13 + (index >> 9)) & 0xff));
      const sha256 = createHash('sha256').update(whole).digest('hex');
      const upload = newId();
      const first = { upload, offset: 0, body: whole.subarray(0, MIB) };
      expect(await files().write(path, first, soon())).toMatchObject({ offset: MIB });
      await expect(files().stat(path, soon())).rejects.toMatchObject({ code: 'not_found' });
      // Over another connection, as after a loss: where to go on is asked.
      await using other = open();
      expect(await other.client.files.upload(path, upload, soon())).toEqual({ offset: MIB });
      const rest = {
        upload,
        offset: MIB,
        body: Readable.from([whole.subarray(MIB)]),
        commit: { mode: 0o640, mtimeMs: 1_700_000_000_000, sha256 },
      };
      expect(await other.client.files.write(path, rest, soon())).toMatchObject({ offset: whole.length, committed: true });
      expect(await files().sha256(path, soon())).toEqual({ sha256, size: whole.length });
      expect(await files().stat(path, soon())).toMatchObject({
        type: 'file',
        size: whole.length,
        mode: 0o640,
        mtime_ms: 1_700_000_000_000,
        uid: 1000,
      });
      expect((await content(path)).equals(whole)).toBe(true);
      const range = await files().read(path, { offset: MIB - 1, length: 3 }, soon());
      expect([range.size, range.mode, await buffer(range.body)]).toEqual([whole.length, 0o640, whole.subarray(MIB - 1, MIB + 2)]);
    });

    test('stay as they were where what was sent is not what was meant', async () => {
      const path = `${root}/kept`;
      await put(path, Buffer.from('before'));
      const wrong = { upload: newId(), offset: 0, body: Buffer.from('after'), commit: { sha256: '0'.repeat(64) } };
      await expect(files().write(path, wrong, soon())).rejects.toThrow(/./);
      const late = { upload: newId(), offset: 7, body: Buffer.from('late') };
      await expect(files().write(path, late, soon())).rejects.toThrow(/./);
      const dropped = { upload: newId(), offset: 0, body: Buffer.from('half') };
      await files().write(path, dropped, soon());
      await files().dropUpload(path, dropped.upload, soon());
      expect((await content(path)).toString()).toBe('before');
      expect((await files().list(root, { limit: 100 }, soon())).entries.map(({ name }) => name)).not.toContain(`.${dropped.upload}`);
    });

    test('may have any name, and are listed in order, page by page', async () => {
      const folder = `${root}/odd`;
      await files().mkdir(folder, {}, soon());
      for (const name of oddNames) await put(`${folder}/${name}`, Buffer.from(name));
      for (const name of oddNames) expect((await content(`${folder}/${name}`)).toString()).toBe(name);
      const seen: string[] = [];
      for (let after: string | undefined; ;) {
        const page = await files().list(folder, { limit: 4, ...(after === undefined ? {} : { after }) }, soon());
        seen.push(...page.entries.map(({ name }) => name));
        if (page.next === null) break;
        after = page.next;
      }
      expect(seen).toEqual(oddNames.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))));
    });

    test('may have a name that is no UTF-8', async () => {
      const folder = `${root}/latin`;
      await files().mkdir(folder, {}, soon());
      const path = Buffer.concat([Buffer.from(`${folder}/`), notUtf8]);
      await put(path, Buffer.from('coffee'));
      expect((await content(path)).toString()).toBe('coffee');
      const { entries } = await files().list(folder, { limit: 10 }, soon());
      expect(entries.map(({ name_base64 }) => name_base64)).toEqual([notUtf8.toString('base64')]);
    });

    test('are moved and removed, and nothing is overwritten or removed with more than was asked for', async () => {
      const folder = `${root}/tree`;
      await files().mkdir(`${folder}/a/b`, { parents: true, mode: 0o750 }, soon());
      expect(await files().stat(`${folder}/a/b`, soon())).toMatchObject({ type: 'directory', mode: 0o750 });
      await expect(files().mkdir(`${folder}/a`, {}, soon())).rejects.toMatchObject({ code: 'conflict' });
      await put(`${folder}/one`, Buffer.from('1'));
      await put(`${folder}/two`, Buffer.from('2'));
      await expect(files().move(`${folder}/one`, `${folder}/two`, {}, soon())).rejects.toMatchObject({ code: 'conflict' });
      await files().move(`${folder}/one`, `${folder}/two`, { overwrite: true }, soon());
      expect((await content(`${folder}/two`)).toString()).toBe('1');
      await files().move(`${folder}/two`, `${folder}/a/b/three`, {}, soon());
      await expect(files().remove(`${folder}/a`, {}, soon())).rejects.toMatchObject({ code: 'conflict' });
      await files().remove(`${folder}/a`, { recursive: true }, soon());
      expect((await files().list(folder, { limit: 10 }, soon())).entries).toEqual([]);
      await expect(files().read(`${folder}/a/b/three`, {}, soon())).rejects.toMatchObject({ code: 'not_found' });
    });

    test('go out and come in as an archive', async () => {
      const from = `${root}/from`;
      const to = `${root}/to`;
      await files().mkdir(`${from}/deep`, { parents: true }, soon());
      await files().mkdir(to, {}, soon());
      const big = Buffer.alloc(2 * MIB, 'archive ');
      await put(`${from}/deep/big`, big);
      await put(`${from}/${'n'.repeat(200)}`, Buffer.from('long'));
      await files().unpack(to, await files().pack(from, soon()), soon());
      expect((await content(`${to}/deep/big`)).equals(big)).toBe(true);
      expect((await content(`${to}/${'n'.repeat(200)}`)).toString()).toBe('long');
    });

    test('outside of what the session may do are refused in words', async () => {
      await expect(put('/proc/nothing', Buffer.from('x'))).rejects.toMatchObject({ name: 'AppError' });
      await expect(files().stat(`${root}/none`, soon())).rejects.toMatchObject({ code: 'not_found' });
      await expect(files().read(root, {}, soon())).rejects.toMatchObject({ code: 'conflict' });
      await expect(files().list('relative', { limit: 1 }, soon())).rejects.toMatchObject({ code: 'bad_request' });
    });
  });
}
