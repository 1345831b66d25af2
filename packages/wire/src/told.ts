/**
 * What one connection was told: which numbers of origins its peer knows.
 *
 * Invariants
 *  1. Its frames are sent in the order in which they are returned here, each before the frame that it was made for, and
 *     are never dropped: the peer takes an unknown number for a malformed frame.
 */

import type { EncodedFrame } from './encoder.ts';
import { kinds } from './kinds.ts';
import { packFrame } from './packer.ts';

/** What the header of a frame takes, and an origin at the worst: its number, a name of 128 bytes and an epoch. */
const HEADER_BYTES = 8;
const ORIGIN_BYTES = 152;

const none: readonly Uint8Array[] = [];

export class Told {
  readonly #numbers = new Set<number>();

  /**
   * The frames to send first, if `frame` uses numbers that were not told on this connection; they count as told now.
   * @param frameBytes the largest frame that the peer takes
   */
  missing(frame: EncodedFrame, frameBytes: number = Infinity): readonly Uint8Array[] {
    const mostFields = 3 * Math.floor((frameBytes - HEADER_BYTES) / ORIGIN_BYTES);
    let frames: Uint8Array[] | undefined;
    let fields: unknown[] | undefined;
    for (const { number, origin } of frame.origins) {
      if (this.#numbers.has(number)) continue;
      this.#numbers.add(number);
      fields ??= [kinds.origins];
      fields.push(number, origin.name, origin.epoch);
      if (fields.length <= mostFields) continue;
      (frames ??= []).push(packFrame(fields));
      fields = undefined;
    }
    if (fields !== undefined) (frames ??= []).push(packFrame(fields));
    return frames ?? none;
  }

  /** The frame that lets the peer forget a number, if it was told. */
  forget(number: number): Uint8Array | undefined {
    return this.forgetAll([number]);
  }

  /** The frame that lets the peer forget those of these numbers that it was told. */
  forgetAll(numbers: readonly number[]): Uint8Array | undefined {
    const told = numbers.filter((number) => this.#numbers.delete(number));
    return told.length > 0 ? packFrame([kinds['forget-origins'], ...told]) : undefined;
  }
}
