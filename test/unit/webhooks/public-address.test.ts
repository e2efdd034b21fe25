import { describe, expect, it } from 'vitest';
import { isPublicAddress } from '../../../shared/webhooks/public-address.ts';
import { webhookUrlFault } from '../../../shared/webhooks/webhook-url.ts';

const inside = [
  '0.0.0.0',
  '10.0.0.1',
  '100.64.0.1',
  '100.127.255.255',
  '127.0.0.1',
  '127.8.8.8',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.170',
  '192.0.2.1',
  '192.168.1.1',
  '198.18.0.1',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:10.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:169.254.169.254',
  '::ffff:8.8.8.8',
  '::ffff:a9fe:a9fe',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '100::1',
  '2001::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
];
const outside = [
  '1.1.1.1',
  '8.8.8.8',
  '100.63.255.255',
  '100.128.0.1',
  '172.15.0.1',
  '172.32.0.1',
  '192.169.0.1',
  '2606:4700:4700::1111',
  '2a00:1450:4001::1',
];

describe('an address', () => {
  it.each(inside)('%s is not on the public internet', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each(outside)('%s is', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each(['', 'localhost', '1.2.3', '010.0.0.1', '0x7f000001', '8.8.8.8 '])('%j is none', (text) => {
    expect(isPublicAddress(text)).toBe(false);
  });
});

describe('the URL of a webhook', () => {
  it.each(['https://example.com/hook?a=b', 'https://example.com:8443/', 'https://1.1.1.1/', 'https://[2606:4700:4700::1111]/'])(
    'may be %s',
    (url) => {
      expect(webhookUrlFault(url, false)).toBeUndefined();
    },
  );

  it.each([
    ['http', 'http://example.com/'],
    ['another protocol', 'ftp://example.com/'],
    ['a file', 'file:///etc/passwd'],
    ['a password', 'https://me:secret@example.com/'],
    ['a private address', 'https://10.0.0.1/'],
    ['the metadata server', 'https://169.254.169.254/computeMetadata/v1/'],
    ['loopback', 'https://127.0.0.1/'],
    ['loopback as one number', 'https://2130706433/'],
    ['loopback in octal', 'https://0177.0.0.1/'],
    ['loopback in hexadecimal', 'https://0x7f.1/'],
    ['loopback of IPv6', 'https://[::1]/'],
    ['IPv4 in IPv6', 'https://[::ffff:10.0.0.1]/'],
    ['no URL', 'example.com'],
    ['more than 2,048 characters', `https://example.com/${'x'.repeat(2_048)}`],
  ])('may not be or hold %s', (_what, url) => {
    expect(webhookUrlFault(url, false)).toEqual(expect.any(String));
  });

  it('may be private and plain where the configuration says so, but hold no password even then', () => {
    expect(webhookUrlFault('http://127.0.0.1:9000/hook', true)).toBeUndefined();
    expect(webhookUrlFault('http://me:x@127.0.0.1/', true)).toEqual(expect.any(String));
    expect(webhookUrlFault('gopher://127.0.0.1/', true)).toEqual(expect.any(String));
  });
});
