/**
 * A line: the way out over one connection. What a party sends goes down it in the same turn.
 *
 * Rule of the design: everything that actors exchange is a message. Departure: bytes go out by a call rather than through
 * the link's mailbox, since a session takes them without waiting, bounds them itself and cannot fail; the mailbox would
 * add a turn and a second, unbounded queue in front of the bounded one.
 *
 * Invariants
 *  1. The numbers of origins that a frame uses were told on this connection before it.
 *
 * Source: docs/wire.md, "out".
 */

import { type EncodedFrame, Told } from '@grapevine/wire';
import type { Session } from '@grapevine/transport';

import type { Held } from './pressure.ts';

export class Line implements Held {
  readonly session: Session;
  /** How often it was not read for a while, since the peer's allowance was used up. */
  throttled = 0;
  readonly #told = new Told();
  readonly #holders = new Set<object>();

  constructor(session: Session) {
    this.session = session;
  }

  get peer(): string {
    return this.session.peer.name;
  }

  /**
   * Sends a frame, which may be dropped if it is droppable and there is no room.
   * @returns whether it was taken
   * @throws GossipError FRAME_TOO_LARGE, nothing sent
   */
  send(frame: EncodedFrame): boolean {
    const { maxFrameBytes } = this.session;
    // What does not fit is not sent, and the session says so: nor is anything told for it.
    const isTooLarge = frame.bytes.length > maxFrameBytes;
    if (!isTooLarge) for (const told of this.#told.missing(frame, maxFrameBytes)) this.session.send(told, 'reply');
    return this.session.send(frame.bytes, frame.droppable ? 'rumor' : 'reply');
  }

  /** Sends a frame of the connection itself. */
  sendControl(bytes: Uint8Array): void {
    this.session.send(bytes, 'reply');
  }

  /** The numbers of origins are given up. */
  forget(numbers: readonly number[]): void {
    const bytes = this.#told.forgetAll(numbers);
    if (bytes !== undefined) this.session.send(bytes, 'reply');
  }

  /** Whether it is not read at present. */
  get isHeld(): boolean {
    return this.#holders.size > 0;
  }

  hold(by: object): void {
    if (this.#holders.size === 0) this.session.pause();
    this.#holders.add(by);
  }

  release(by: object): void {
    if (this.#holders.delete(by) && this.#holders.size === 0) this.session.resume();
  }
}
