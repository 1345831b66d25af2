/**
 * What the transport needs of a network: sockets that carry whole frames in order, and a medium that makes them.
 *
 * Everything above (hello, pairs, queues, redial, keep-alive) is written once against this; the WebSocket and the
 * in-memory medium differ only below.
 *
 * Invariants
 *  1. Frames arrive whole, in order, unchanged, or the connection ends.
 *  2. `closed` is called exactly once, as the last event, and never from inside `close` or `terminate`.
 *  3. A frame given to `send` is neither changed nor changed later: one buffer goes to many sockets.
 */
import type { GossipError, UrlSource } from '@grapevine/core';
import type { ShownCertificate } from './certificates.ts';
import type { TransportTls } from './security.ts';

export type ControlFrame = 'ping' | 'pong';

export interface SocketEvents {
  frame(frame: Uint8Array): void;
  /** The peer sent what is no frame; the owner closes, with `code` where it is given. */
  malformed(problem: string, code?: number): void;
  /** A ping or pong came: the peer lives. */
  heard(what: ControlFrame): void;
  /** What was handed to the network has left this process's memory. */
  drained(): void;
  /** The connection has ended. Code 1006 when no close frame came, then `cause` may say why. */
  closed(code: number, reason: string, cause?: unknown): void;
}

/**
 * What is unique to the TLS connection below, the same at both its ends (RFC 9266). `none`: there is no TLS. `unavailable`:
 * there is TLS, but nothing unique to it can be had, because it is older than TLS 1.3 or because the runtime does not tell.
 */
export type ChannelBinding = Uint8Array | 'none' | 'unavailable';

export interface Socket {
  /** Set once by whoever takes the socket, synchronously. */
  events: SocketEvents;
  /** Where the peer is, as far as one address can be told from another; null: unknown. */
  readonly address: string | null;
  /** Bytes handed over that have not left this process's memory. Once they have, `drained` comes, if they were many. */
  readonly bufferedBytes: number;
  binding(): ChannelBinding;
  /** The certificate that the peer has shown, checked by TLS; null where it showed none. */
  certificate(): ShownCertificate | null;
  /**
   * The peer is let in: it may bring what a session brings. Until then, and again after `close` with an error of the peer, a
   * connection that brings more than `unprovenBytes` ends.
   */
  admit(): void;
  send(frame: Uint8Array): void;
  ping(): void;
  /** Reads no more. What was read already may still arrive as `frame`. */
  pause(): void;
  resume(): void;
  /** Sends what was handed over, then a close frame, and waits a while for the peer's. */
  close(code: number, reason: string): void;
  /** Ends the connection now. */
  terminate(): void;
}

/** Neither is called from inside `Medium.dial`. */
export interface Dial {
  /** The connection stands; `events` of the socket are to be set inside. */
  readonly opened: (socket: Socket) => void;
  /** It could not be made; a `GossipError` says why in its own words. Not called after the dial was given up. */
  readonly failed: (cause: unknown) => void;
}

/**
 * What a connection may bring in all, in bytes, before its peer is let in: a hello of the largest size, a proof, the heads of
 * frames and a close frame, twice over. More is held in memory for nobody.
 */
export const unprovenBytes = 16_384;

/** One way to make sockets. Owned by one transport. */
export interface Medium {
  /** The one spelling of a URL that is compared, or null when this medium cannot dial it. */
  canonical(url: string): string | null;
  /** Why this canonical URL is not dialled, although it could be; null when it is. */
  objection(url: string, source: UrlSource): GossipError | null;
  /**
   * New connections use these options of TLS, which are complete.
   * @throws what TLS says of them; state unchanged
   */
  renewTls(tls: TransportTls): void;
  /**
   * Accepts connections until `stop`.
   * @param refused told of a connection that did not come to be
   * @returns the URL at which this node can be dialled, null when it does not listen
   * @throws GossipError PORT_IN_USE, ADDRESS_UNAVAILABLE
   */
  listen(
    accepted: (socket: Socket) => void,
    refused: (error: GossipError, address: string | null) => void,
  ): Promise<string | null>;
  /** Starts to connect. @returns a function that gives up */
  dial(url: string, dial: Dial, source: UrlSource): () => void;
  /** Accepts no more. Resolves when the last socket that it made has ended, by itself or by `terminate`. */
  stop(): Promise<void>;
  /** Ends every socket now. */
  terminate(): void;
}
