/**
 * The seal: what makes the frames of a connection readable to its two ends alone, and lets nobody else write any.
 *
 * After the proofs each direction has a key of its own, derived by HKDF from the cluster key that its sender has proven and
 * from both hellos, which hold a fresh nonce each. Every frame is encrypted and authenticated by AES-256-GCM under that key
 * and its number in the connection.
 *
 * Invariants
 *  1. A number is used once under a key, and a key in one direction of one connection.
 *  2. The number is not sent: both ends count. A frame that was changed, added, repeated, left out or moved does not open,
 *     and no frame opens after it.
 *  3. A key seals `framesPerKey` frames; then both ends derive the next one from it and forget it.
 *
 * Source: docs/wire.md, "Sealed frames"; RFC 5869 (HKDF), RFC 5116 and NIST SP 800-38D (AES-GCM with a counter as nonce);
 * the shape is that of the record layer of TLS 1.3 (RFC 8446, sections 5.2, 5.3 and 7.2).
 */
import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject } from 'node:crypto';
import { type Exchange, type Role, roles } from './proof.ts';

/** By so much a sealed frame is longer. */
export const sealBytes = 16;

/** At the longest frame of 2 MiB that is 2^41 blocks under one key: an advantage of at most 2^-47 for who tells it from noise. */
const framesPerKey = 2 ** 24;

const label = 'grapevine seal 1';
const nextLabel = 'grapevine seal next';
const cipherName = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;

/** The key for the frames of one role. @param provenBy the cluster key that this role has proven */
export function sealKey(provenBy: KeyObject, role: Role, { dialler, acceptor, version }: Exchange): Uint8Array {
  const info = Buffer.alloc(label.length + 5);
  info.write(label);
  info.writeUInt8(roles[role], label.length);
  info.writeUInt32BE(version, label.length + 1);
  return new Uint8Array(hkdfSync('sha256', provenBy, Buffer.concat([dialler, acceptor]), info, keyBytes));
}

/** One direction of one connection: seals at one end, opens at the other. */
export class Seal {
  readonly #framesPerKey: number;
  readonly #nonce = Buffer.alloc(nonceBytes);
  #key: Uint8Array;
  #frames = 0;

  constructor(key: Uint8Array, perKey: number = framesPerKey) {
    this.#key = key;
    this.#framesPerKey = perKey;
  }

  /** @returns the frame, sealed, in memory of its own */
  seal(frame: Uint8Array): Uint8Array {
    const nonce = this.#next();
    const cipher = createCipheriv(cipherName, this.#key, nonce, { authTagLength: sealBytes });
    const hidden = cipher.update(frame);
    cipher.final();
    return Buffer.concat([hidden, cipher.getAuthTag()]);
  }

  /** @returns the frame, in memory of its own; null when it is not the next one as it was sealed */
  open(sealed: Uint8Array): Uint8Array | null {
    const end = sealed.length - sealBytes;
    if (end < 0) return null;
    const nonce = this.#next();
    const decipher = createDecipheriv(cipherName, this.#key, nonce, { authTagLength: sealBytes });
    decipher.setAuthTag(sealed.subarray(end));
    const frame = decipher.update(sealed.subarray(0, end));
    try {
      decipher.final();
    } catch {
      return null;
    }
    return frame;
  }

  /** Goes on to the next frame, under the next key where it is due: first of all, since it may change the key. @returns the nonce */
  #next(): Buffer {
    if (this.#frames === this.#framesPerKey) {
      this.#key = new Uint8Array(hkdfSync('sha256', this.#key, new Uint8Array(), nextLabel, keyBytes));
      this.#frames = 0;
    }
    this.#nonce.writeUInt32BE(this.#frames++, nonceBytes - 4);
    return this.#nonce;
  }
}
