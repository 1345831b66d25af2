/**
 * The keyring: the cluster keys that a node has at this moment.
 *
 * Invariants
 *  1. The first key proves this node; each proves a peer.
 *  2. What is asked is answered by the keys of now: a key that was withdrawn proves nobody, whenever his handshake began.
 */
import type { KeyObject } from 'node:crypto';
import { type Exchange, recognise, type Role } from './proof.ts';

export class Keyring {
  #keys: readonly [KeyObject, ...KeyObject[]];

  constructor(keys: readonly [KeyObject, ...KeyObject[]]) {
    this.#keys = keys;
  }

  replace(keys: readonly [KeyObject, ...KeyObject[]]): void {
    this.#keys = keys;
  }

  has(key: KeyObject): boolean {
    return this.#keys.some((listed) => listed.equals(key));
  }

  /** The one that proves this node. */
  get own(): KeyObject {
    return this.#keys[0];
  }

  /** @returns the key by which the peer in that role has proven itself; null when it has none that is listed */
  recognise(role: Role, exchange: Exchange, proof: Uint8Array): KeyObject | null {
    return recognise(this.#keys, role, exchange, proof);
  }
}
