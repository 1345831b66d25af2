/**
 * A sealed socket: a socket over which frames, and the word that ends it, go sealed.
 *
 * Whoever is on the way can still end the connection, hold it up, and answer pings: none of that is sealed, and none of it
 * says anything of the peer. What a peer means by an end (that it leaves, that it is another connection of the pair) it
 * says in a last sealed frame, so that nobody else says it.
 *
 * Invariants
 *  1. Nothing that does not open is handed over, nor anything behind it.
 *  2. A close code that says something of the peer is told only where the peer sealed it; else the connection was lost.
 *
 * Source: docs/wire.md, "Sealed frames".
 */
import { printable } from '@grapevine/core';
import type { ShownCertificate } from './certificates.ts';
import { closeCodes } from './close-codes.ts';
import type { Seal } from './seal.ts';
import type { ChannelBinding, ControlFrame, Socket, SocketEvents } from './socket.ts';

/** Begins the word that ends a connection. No MessagePack value begins so, hence no other frame. */
const endByte = 0xc1;
const endHeadBytes = 3;

export class SealedSocket implements Socket, SocketEvents {
  events: SocketEvents;
  readonly #socket: Socket;
  readonly #out: Seal;
  readonly #in: Seal;
  #state: 'open' | 'broken' | 'ended' = 'open';
  #end: { readonly code: number; readonly reason: string } | null = null;
  /** Until a first frame opens, the peer may have no seal: it may refuse our proof, and can only say so in the clear. */
  #mayRefuse: boolean;

  constructor(
    socket: Socket,
    seals: {
      readonly out: Seal;
      readonly in: Seal;
      /** Whether the peer may still refuse our proof: so it is for an acceptor before the commit. */
      readonly mayRefuse: boolean;
    },
  ) {
    this.#socket = socket;
    this.#out = seals.out;
    this.#in = seals.in;
    this.#mayRefuse = seals.mayRefuse;
    this.events = socket.events;
    socket.events = this;
  }

  get address(): string | null {
    return this.#socket.address;
  }

  get bufferedBytes(): number {
    return this.#socket.bufferedBytes;
  }

  binding(): ChannelBinding {
    return this.#socket.binding();
  }

  certificate(): ShownCertificate | null {
    return this.#socket.certificate();
  }

  admit(): void {
    this.#socket.admit();
  }

  send(frame: Uint8Array): void {
    this.#socket.send(this.#out.seal(frame));
  }

  ping(): void {
    this.#socket.ping();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number, reason: string): void {
    if (this.#state !== 'ended') this.send(encodeEnd(code, reason));
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }

  // ── what comes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  frame(sealed: Uint8Array): void {
    if (this.#state !== 'open') return;
    const frame = this.#in.open(sealed);
    if (frame === null) {
      this.#state = 'broken';
      const problem = `a frame of ${sealed.length} bytes does not open: it was changed, added, repeated, left out or moved on the way`;
      this.events.malformed(problem, closeCodes.SEAL_BROKEN);
      return;
    }
    this.#mayRefuse = false;
    if (frame[0] !== endByte) {
      this.events.frame(frame);
      return;
    }
    const end = decodeEnd(frame);
    if (end === null) {
      this.#state = 'broken';
      this.events.malformed('a frame that begins with 0xc1 must end the connection: a close code, and a reason');
      return;
    }
    this.#state = 'ended';
    this.#end = end;
    // A peer that says so and stays is not waited for.
    if (speaksOfPeer(end.code)) this.#socket.close(end.code, '');
    else this.#socket.terminate();
  }

  malformed(problem: string, code?: number): void {
    this.events.malformed(problem, code);
  }

  heard(what: ControlFrame): void {
    this.events.heard(what);
  }

  drained(): void {
    this.events.drained();
  }

  closed(code: number, reason: string, cause?: unknown): void {
    const end = this.#end;
    if (end !== null) this.events.closed(end.code, end.reason);
    else if (cause !== undefined || this.#mayRefuse || !speaksOfPeer(code)) this.events.closed(code, reason, cause);
    else
      this.events.closed(
        closeCodes.CONNECTION_LOST,
        `the connection was closed with code ${code} and no seal: somebody on the way may have done it`,
      );
  }
}

/** Other codes are of the WebSocket layer: that it found an error, or nothing. */
function speaksOfPeer(code: number): boolean {
  return code === closeCodes.NORMAL || code === closeCodes.GOING_AWAY || code >= 3000;
}

function encodeEnd(code: number, reason: string): Uint8Array {
  const head = Buffer.of(endByte, code >> 8, code & 0xff);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/** @returns null when it has no code that a close frame may have (RFC 6455, section 7.4.2) */
function decodeEnd(frame: Uint8Array): { readonly code: number; readonly reason: string } | null {
  if (frame.length < endHeadBytes) return null;
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  const code = bytes.readUInt16BE(1);
  if (code < 1000 || code > 4999) return null;
  return { code, reason: printable(bytes.toString('utf8', endHeadBytes)) };
}
