/**
 * Container images as archives (OCI image layout in a tar), byte for byte the same for the same input: https://github.com/opencontainers/image-spec
 *
 * @module
 */
import { createHash } from 'node:crypto';

/** A program at the root of the image. */
export interface ImageFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface PlatformImage {
  /** As Go names it: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly files: readonly ImageFile[];
}

export interface ImageOptions {
  /** With its registry and tag. */
  readonly name: string;
  readonly platforms: readonly PlatformImage[];
  readonly user: string;
  readonly entrypoint: readonly string[];
}

const BLOCK = 512;
const EPOCH = '1970-01-01T00:00:00Z';
const OCI = 'application/vnd.oci.image.';

/** The archive. Layers are not compressed: what carries the image does that better. */
export function buildImageArchive({ name, platforms, user, entrypoint }: ImageOptions): Uint8Array {
  const blobs = new Map<string, Uint8Array>();
  const put = (kind: string, bytes: Uint8Array): { mediaType: string; digest: string; size: number } => {
    const digest = createHash('sha256').update(bytes).digest('hex');
    blobs.set(digest, bytes);
    return { mediaType: `${OCI}${kind}`, digest: `sha256:${digest}`, size: bytes.length };
  };
  const config = { User: user, Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], Entrypoint: entrypoint };
  const manifests = platforms.map(({ architecture, files }) => {
    const layer = put('layer.v1.tar', buildTar(files.map((file) => ({ ...file, mode: 0o755 }))));
    const rootfs = { type: 'layers', diff_ids: [layer.digest] };
    const image = put('config.v1+json', json({ architecture, os: 'linux', created: EPOCH, config, rootfs, history: [{ created: EPOCH }] }));
    const manifest = { schemaVersion: 2, mediaType: `${OCI}manifest.v1+json`, config: image, layers: [layer] };
    return { ...put('manifest.v1+json', json(manifest)), platform: { architecture, os: 'linux' } };
  });
  const index = put('index.v1+json', json({ schemaVersion: 2, mediaType: `${OCI}index.v1+json`, manifests }));
  const tag = name.slice(name.lastIndexOf(':') + 1);
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': tag };
  return buildTar([
    { name: 'oci-layout', bytes: json({ imageLayoutVersion: '1.0.0' }), mode: 0o644 },
    { name: 'index.json', bytes: json({ schemaVersion: 2, manifests: [{ ...index, annotations }] }), mode: 0o644 },
    ...[...blobs].map(([digest, bytes]) => ({ name: `blobs/sha256/${digest}`, bytes, mode: 0o644 })),
  ]);
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

interface TarEntry extends ImageFile {
  readonly mode: number;
}

/** Plain files of root at the beginning of time (POSIX `ustar`, names of up to 100 bytes). */
function buildTar(entries: readonly TarEntry[]): Uint8Array {
  const parts = entries.flatMap(({ name, bytes, mode }) => [
    tarHeader(name, bytes.length, mode),
    bytes,
    Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html, "ustar Interchange Format": numbers are octal text. */
function tarHeader(name: string, size: number, mode: number): Uint8Array {
  if (Buffer.byteLength(name) > 100) throw new Error(`the name ${name} is too long for a tar header`);
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, offset: number, length: number): void => {
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'ascii');
  };
  header.write(name, 0, 'utf8');
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  header.write('0', 156, 'ascii');
  header.write('ustar\x0000', 257, 'latin1');
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return header;
}
