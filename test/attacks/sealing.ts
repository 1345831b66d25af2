/**
 * The seal of frames as a stranger makes it: by docs/wire.md, "Sealed frames", and not by the transport.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, type KeyObject } from 'node:crypto';

export type Role = 'dialler' | 'acceptor';

const tagBytes = 16;

/** One direction of one connection. Nobody here lives for 2^24 frames, so a key is never replaced. */
export class Sealing {
  readonly #key: Uint8Array;
  readonly #nonce = Buffer.alloc(12);
  #frames = 0;

  /** @param key that the sender in this role has proven @param hellos as they were on the wire */
  constructor(
    key: KeyObject,
    role: Role,
    {
      dialler,
      acceptor,
      version,
    }: { readonly dialler: Uint8Array; readonly acceptor: Uint8Array; readonly version: number },
  ) {
    const digest = (hello: Uint8Array): Buffer => createHash('sha256').update(hello).digest();
    const info = Buffer.concat([
      Buffer.from('grapevine seal 1'),
      Buffer.of(role === 'dialler' ? 1 : 2, 0, 0, 0, version),
    ]);
    this.#key = new Uint8Array(hkdfSync('sha256', key, Buffer.concat([digest(dialler), digest(acceptor)]), info, 32));
  }

  seal(frame: Uint8Array): Buffer {
    const cipher = createCipheriv('aes-256-gcm', this.#key, this.#next());
    return Buffer.concat([cipher.update(frame), cipher.final(), cipher.getAuthTag()]);
  }

  /** @throws Error when it does not open */
  open(sealed: Buffer): Buffer {
    const decipher = createDecipheriv('aes-256-gcm', this.#key, this.#next(), { authTagLength: tagBytes });
    decipher.setAuthTag(sealed.subarray(-tagBytes));
    return Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()]);
  }

  #next(): Buffer {
    this.#nonce.writeUInt32BE(this.#frames++, 8);
    return this.#nonce;
  }
}
