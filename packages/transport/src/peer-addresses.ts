/**
 * Addresses that peers tell: which of them are public, and a lookup that yields no other.
 *
 * Invariants
 *  1. An address is judged as it is connected to: the one in the URL, or the one that a name has just been resolved to.
 *  2. An address is not public where IANA's registries say that it is special, or where it embeds an IPv4 address that is not.
 *
 * Source: IANA, "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry" (RFC 6890), as of 2026;
 * RFC 1122 and RFC 5771 for multicast and class E; RFC 6052 for the IPv4 addresses in 64:ff9b::/96.
 */
import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { GossipError } from '@grapevine/core';

const special4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
];
/** Outside of 2000::/3 no address is assigned to hosts of the Internet, but those that embed one of IPv4. */
const special6: readonly (readonly [string, number])[] = [
  ['::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['100:0:0:1::', 64],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
  ['4000::', 2],
  ['8000::', 1],
];
/** Of a gateway between IPv6 and IPv4. */
const embedding = '64:ff9b::';
const embeddingBits = 96;

const special = new BlockList();
// An IPv6 address that maps one of IPv4 (::ffff:0:0/96) is judged by these too: `BlockList` sees to it.
for (const [network, bits] of special4) {
  special.addSubnet(network, bits, 'ipv4');
  special.addSubnet(`${embedding}${network}`, embeddingBits + bits, 'ipv6');
}
for (const [network, bits] of special6) special.addSubnet(network, bits, 'ipv6');

/** @param address IPv4 or IPv6; other texts are not public */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && !special.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** Why a canonical URL is not dialled that a peer tells; null when it is, or when its host is a name, which `lookupPublic` judges. */
export function objectionToAddress(url: string): GossipError | null {
  const host = new URL(url).hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(host) === 0 || isPublic(host) ? null : refused(url, host);
}

type Found = (error: Error | null, addresses: string | LookupAddress[], family?: number) => void;

/** As `dns.lookup`, for a dial of this URL: finds public addresses alone, and fails where a name has no other. */
export function lookupPublic(url: string): (host: string, options: LookupOptions, found: Found) => void {
  return (host, options, found) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return found(error, []);
      const allowed = addresses.filter(({ address }) => isPublic(address));
      const [first] = allowed;
      if (first === undefined) found(refused(url, addresses.map(({ address }) => address).join(', ')), []);
      else if (options.all === true) found(null, allowed);
      else found(null, first.address, first.family);
    });
  };
}

function refused(url: string, addresses: string): GossipError {
  const message =
    `${url} leads to ${addresses}, which is no public address, and only peers tell it: name it as a seed, ` +
    'or give security.peerAddresses: any (--peer-addresses any)';
  return new GossipError('ADDRESS_REFUSED', message, { context: { url, addresses } });
}
