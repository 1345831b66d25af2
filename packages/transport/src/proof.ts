/**
 * The proof: that a node holds a cluster key, told without telling the key.
 *
 * It is HMAC-SHA-256 under the key over the label, the role of who proves, the version that both will speak, the channel
 * binding, and the hashes of both hellos as they went over the wire. The hellos hold everything that two nodes say of
 * themselves: names, epochs, cluster, versions, URLs, capabilities, what later releases add, and a fresh nonce each.
 *
 * Invariants
 *  1. No replay: both nonces are in it, and each side makes its own. No reflection: the role is in it. No downgrade: what
 *     each side heard of the other must be what the other said, or no proof fits.
 *  2. How long a comparison takes tells nothing: every listed key is tried, each in constant time.
 *
 * Source: docs/wire.md, "Keys"; the shape is that of SIGMA and of TLS 1.3's Finished (RFC 8446, section 4.4.4), the binding
 * that of RFC 9266.
 */
import { createHash, createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

export type Role = 'dialler' | 'acceptor';

/** What both sides have said, and over what. */
export interface Exchange {
  /** The hello of the dialler, as its bytes were on the wire, hashed by `digestOf`. */
  readonly dialler: Uint8Array;
  readonly acceptor: Uint8Array;
  readonly version: number;
  /** What is unique to the TLS connection below, the same at both its ends; null where there is none, or it does not count. */
  readonly binding: Uint8Array | null;
}

export const proofBytes = 32;

const label = 'grapevine proof 1';
export const roles: Readonly<Record<Role, number>> = { dialler: 1, acceptor: 2 };

export function digestOf(hello: Uint8Array): Uint8Array {
  return createHash('sha256').update(hello).digest();
}

/** Every part has a fixed length, but for the binding, which stands last with its length before it. */
export function prove(key: KeyObject, role: Role, { dialler, acceptor, version, binding }: Exchange): Uint8Array {
  const numbers = Buffer.alloc(6);
  numbers.writeUInt8(roles[role], 0);
  numbers.writeUInt32BE(version, 1);
  numbers.writeUInt8(binding === null ? 0 : binding.length, 5);
  return createHmac('sha256', key)
    .update(label)
    .update(numbers)
    .update(dialler)
    .update(acceptor)
    .update(binding ?? new Uint8Array())
    .digest();
}

/** @returns the key that the proof was made with; null when it was none of these */
export function recognise(
  keys: readonly KeyObject[],
  role: Role,
  exchange: Exchange,
  proof: Uint8Array,
): KeyObject | null {
  if (proof.length !== proofBytes) return null;
  let found: KeyObject | null = null;
  for (const key of keys) if (timingSafeEqual(prove(key, role, exchange), proof)) found = key;
  return found;
}
