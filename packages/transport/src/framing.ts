/**
 * The bytes of WebSocket frames that are sent: header and payload in one buffer, made once for all peers they go to.
 *
 * Invariants
 *  1. A buffer is never changed once it was given out: sockets may hold it for long.
 *  2. A mask is drawn at random for each payload and is never zero. Peers that are sent the same payload in one turn share it,
 *     and no other bytes are masked by it.
 *  3. Nothing is kept beyond the turn.
 *
 * Rule of the source: a client masks each frame by a fresh key that nobody can predict, so that no script chooses the bytes
 * that a proxy sees. Departure: the copies of one frame to several peers share a key. Each peer and each proxy on its way sees
 * the key once, and no bytes are chosen after the key is known.
 *
 * Source: RFC 6455, sections 5.2, 5.3 and 10.3.
 */
import { randomFillSync } from 'node:crypto';

const finalBinary = 0x82;
const maskBit = 0x80;
/** The longest payload whose length stands in the second byte, and in two bytes behind it. */
const mostInByte = 125;
const mostInTwoBytes = 0xffff;
const maskBytes = 4;
/** Shorter ones are masked byte by byte: a view of words costs more. */
const fewBytes = 32;
const poolBytes = 8192;

/** As it was when this module was loaded: fake timers of a test replace it. */
const nextTick = process.nextTick.bind(process);

export class Framing {
  #payload: Uint8Array | null = null;
  #plain: Buffer | null = null;
  #masked: Buffer | null = null;
  #isForgetting = false;
  readonly #pool = Buffer.alloc(poolBytes);
  #poolAt = poolBytes;

  /** The frame as a server sends it. @param payload is not changed, now or later */
  plain(payload: Uint8Array): Buffer {
    this.#turnTo(payload);
    return (this.#plain ??= unmasked(payload));
  }

  /** The frame as a client sends it. @param payload is not changed, now or later */
  masked(payload: Uint8Array): Buffer {
    this.#turnTo(payload);
    return (this.#masked ??= this.#mask(payload));
  }

  #turnTo(payload: Uint8Array): void {
    if (this.#payload === payload) return;
    this.#payload = payload;
    this.#plain = null;
    this.#masked = null;
    if (this.#isForgetting) return;
    this.#isForgetting = true;
    nextTick(this.#forget);
  }

  readonly #forget = (): void => {
    this.#isForgetting = false;
    this.#payload = null;
    this.#plain = null;
    this.#masked = null;
  };

  #mask(payload: Uint8Array): Buffer {
    const { length } = payload;
    const headBytes = headBytesOf(length) + maskBytes;
    // The payload begins at a multiple of four, so that it can be masked by words.
    const unused = -headBytes & 3;
    const whole = Buffer.allocUnsafe(unused + headBytes + length);
    const frame = whole.subarray(unused);
    writeHead(frame, length, maskBit);
    const keyAt = headBytes - maskBytes;
    this.#drawKey(frame, keyAt);
    frame.set(payload, headBytes);
    const at = frame.byteOffset + headBytes;
    let done = 0;
    if (length >= fewBytes && at % 4 === 0) {
      // A copy, so that the key is at a place for words; in the order of bytes of this machine, as the payload is.
      const [key = 0] = new Uint32Array(Uint8Array.prototype.slice.call(frame, keyAt, headBytes).buffer);
      const words = new Uint32Array(frame.buffer, at, length >> 2);
      for (let i = 0; i < words.length; i++) words[i] = (words[i] as number) ^ key;
      done = words.length * 4;
    }
    for (let i = done; i < length; i++)
      frame[headBytes + i] = (frame[headBytes + i] as number) ^ (frame[keyAt + (i & 3)] as number);
    return frame;
  }

  #drawKey(frame: Buffer, at: number): void {
    do {
      if (this.#poolAt === poolBytes) {
        randomFillSync(this.#pool);
        this.#poolAt = 0;
      }
      this.#pool.copy(frame, at, this.#poolAt, this.#poolAt + maskBytes);
      this.#poolAt += maskBytes;
    } while (frame.readUInt32LE(at) === 0);
  }
}

function unmasked(payload: Uint8Array): Buffer {
  const headBytes = headBytesOf(payload.length);
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  writeHead(frame, payload.length, 0);
  frame.set(payload, headBytes);
  return frame;
}

function headBytesOf(length: number): number {
  if (length <= mostInByte) return 2;
  return length <= mostInTwoBytes ? 4 : 10;
}

function writeHead(frame: Buffer, length: number, mask: number): void {
  frame[0] = finalBinary;
  if (length <= mostInByte) frame[1] = mask | length;
  else if (length <= mostInTwoBytes) {
    frame[1] = mask | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = mask | 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
}
