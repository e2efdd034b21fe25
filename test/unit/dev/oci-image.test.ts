import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { buildImageArchive } from '../../../dev/oci-image.ts';

/** The files of a tar, by name, as any reader finds them: sizes are octal, content fills up blocks of 512 bytes. */
function readTar(tar: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  const bytes = Buffer.from(tar);
  for (let offset = 0; bytes[offset] !== 0;) {
    const header = bytes.subarray(offset, offset + 512);
    const textAt = (start: number, end: number): string => header.toString('latin1', start, end).replace(/\0.*$/s, '');
    const size = Number.parseInt(textAt(124, 136), 8);
    const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
    expect(Number.parseInt(textAt(148, 156), 8)).toBe(sum);
    files.set(textAt(0, 100), bytes.subarray(offset + 512, offset + 512 + size));
    offset += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly architecture: string };
}

function image(files: readonly { readonly name: string; readonly bytes: Uint8Array }[]): Uint8Array {
  const platforms = ['amd64', 'arm64'].map((architecture) => ({ architecture, files }));
  return buildImageArchive({ name: 'berth.local/helper:1.2.3', user: '1000', entrypoint: ['/helper'], platforms });
}

describe('an image archive', () => {
  const files = readTar(image([{ name: 'helper', bytes: Buffer.from('program') }]));
  const blob = (descriptor: Descriptor | undefined): Uint8Array => {
    const bytes = files.get(`blobs/${descriptor?.digest.replace(':', '/')}`) ?? new Uint8Array();
    expect(bytes).toHaveLength(descriptor?.size ?? -1);
    expect(`sha256:${createHash('sha256').update(bytes).digest('hex')}`).toBe(descriptor?.digest);
    return bytes;
  };
  const json = <T>(bytes: Uint8Array | undefined): T => JSON.parse(Buffer.from(bytes ?? []).toString()) as T;

  test('leads from its name to the program of each platform, by digests that hold', () => {
    const { manifests } = json<{ manifests: (Descriptor & { annotations: object })[] }>(files.get('index.json'));
    expect(manifests[0]?.annotations).toMatchObject({ 'io.containerd.image.name': 'berth.local/helper:1.2.3' });
    const index = json<{ manifests: Descriptor[] }>(blob(manifests[0]));
    expect(index.manifests.map(({ platform }) => platform?.architecture)).toEqual(['amd64', 'arm64']);
    for (const entry of index.manifests) {
      const manifest = json<{ config: Descriptor; layers: Descriptor[] }>(blob(entry));
      const layer = readTar(blob(manifest.layers[0]));
      expect([...layer].map(([name, bytes]) => [name, Buffer.from(bytes).toString()])).toEqual([['helper', 'program']]);
      expect(json(blob(manifest.config))).toMatchObject({
        architecture: entry.platform?.architecture,
        config: { User: '1000', Entrypoint: ['/helper'] },
        rootfs: { diff_ids: [manifest.layers[0]?.digest] },
      });
    }
  });

  test('is the same whenever it is made', () => {
    expect(image([])).toEqual(image([]));
  });

  test('may hold no file at all', () => {
    expect([...readTar(image([])).keys()]).toEqual(expect.arrayContaining(['oci-layout', 'index.json']));
  });
});
