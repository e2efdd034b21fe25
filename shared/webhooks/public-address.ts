/**
 * Which addresses are on the public internet: everything else is somebody's inside, and not for a user to have us call. Pure.
 *
 * @module
 */
import { BlockList, isIP } from 'node:net';

/** https://www.iana.org/assignments/iana-ipv4-special-registry */
const closedV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
] as const;

/** Within 2000::/3, https://www.iana.org/assignments/iana-ipv6-special-registry; Teredo and 6to4 hold an IPv4 address of anybody's choice. */
const closedV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'] as const;

function listOf(ranges: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix] = range.split('/');
    list.addSubnet(network, Number(prefix), family);
  }
  return list;
}

const notPublicV4 = listOf(closedV4, 'ipv4');
const notPublicV6 = listOf(closedV6, 'ipv6');
/** The only block from which global unicast addresses are assigned: loopback, ULA, link-local and all that maps IPv4 lie outside. */
const globalV6 = listOf(['2000::/3'], 'ipv6');

/** Whether the text is an address of the public internet; `false` also for what is no address. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !notPublicV4.check(address, 'ipv4');
  // An address with a zone (`fe80::1%eth0`) belongs to a link.
  if (family !== 6 || address.includes('%')) return false;
  return globalV6.check(address, 'ipv6') && !notPublicV6.check(address, 'ipv6');
}
