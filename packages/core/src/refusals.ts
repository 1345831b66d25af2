/**
 * What a replica has refused: too large for ever, or without room for now.
 *
 * Refused dots stay out of the context, are not asked for and not claimed while anybody holds them. What was refused for
 * lack of room is lifted again as room is made, and only as much as fits: so whoever is full hears every value once, and
 * once more when it can take it.
 *
 * Invariants
 *  1. What is lifted fits: of each class of sizes no more than there is room for, each taken for the largest of its class.
 *     So an update may wait until there is room for twice its size.
 *  2. It remembers about `ROOM` intervals at most, of which an origin counts as some. What goes beyond is refused all the
 *     same, and told at large once the rest has been lifted: then peers offer again whatever they had been refused.
 *
 * Source: docs/algorithm.md, "A replica that is full".
 */

import { Context, type Dots, type OriginDots } from './context.ts';
import type { Origin } from './origin.ts';
import { firstDots } from './protocols/dots.ts';

/** What is remembered, as `Context.room` counts it. */
const ROOM = 65_536;

/** What is left at a replica. */
export interface Left {
  readonly ids: number;
  readonly bytes: number;
  /** Origins that its context may still take up. */
  readonly origins: number;
}

/** Updates of about one size. */
interface SizeClass {
  readonly dots: Context;
  /** The bytes of the largest that came into it. */
  most: number;
}

/** Why an update is not taken: it is too large for ever, there is no room for its bytes, or none for its origin. */
export type Lack = 'size' | 'room' | 'origin';

export class Refusals {
  readonly #all = new Context();
  readonly #classes: (SizeClass | undefined)[] = [];
  readonly #ofOrigins = new Context();
  /** Refused no more without having been lifted: it came after all, or is over, or its origin was forgotten. Peers have yet to hear. */
  readonly #ended = new Context();
  #isOverflown = false;

  /** Whether nothing is refused. */
  get isEmpty(): boolean {
    return this.#all.size === 0 && this.#ended.size === 0 && !this.#isOverflown;
  }

  /** Whether anything is refused that is lifted when there is room. */
  get awaitsRoom(): boolean {
    return this.#isOverflown || this.#hasLiftable;
  }

  /** Whether anything is refused since its origin is new. */
  get awaitsOrigins(): boolean {
    return this.#ofOrigins.size > 0;
  }

  get #hasLiftable(): boolean {
    return this.awaitsOrigins || this.#classes.some((sizeClass) => sizeClass !== undefined);
  }

  add(origin: Origin, sequence: number, lack: Lack, bytes: number): void {
    const number = 32 - Math.clz32(bytes);
    const kind = lack === 'size' ? null : lack === 'origin' ? this.#ofOrigins : this.#classes[number]?.dots;
    const isRemembered =
      isNeighbour(this.#all, origin, sequence) &&
      (kind === null || (kind !== undefined && isNeighbour(kind, origin, sequence)));
    if (!isRemembered && this.#isFull) {
      this.#isOverflown = true;
      return;
    }
    this.#all.add(origin, sequence);
    if (lack === 'size') return;
    if (lack === 'origin') return this.#ofOrigins.add(origin, sequence);
    const sizeClass = (this.#classes[number] ??= { dots: new Context(), most: 0 });
    sizeClass.dots.add(origin, sequence);
    sizeClass.most = Math.max(sizeClass.most, bytes);
  }

  /** Neighbours of different sizes are one interval together, and many apart. */
  get #isFull(): boolean {
    let room = this.#ofOrigins.room;
    for (const sizeClass of this.#classes) room += sizeClass?.dots.room ?? 0;
    return Math.max(this.#all.room, room) >= ROOM;
  }

  has(origin: Origin, sequence: number): boolean {
    return this.#all.has(origin, sequence);
  }

  /** What of `dots` is not refused. */
  lacking(dots: Dots): Dots {
    return this.#all.lacking(dots);
  }

  /** Whether all of `dots` are refused. */
  covers(dots: Dots): boolean {
    return this.#all.covers(dots);
  }

  /** The origin is forgotten. What is refused of it is lifted next, room or not: whoever still has it offers it once more. */
  forget(origin: Origin): void {
    const entry = this.#all.find(origin);
    if (entry === undefined) return;
    this.removeAll([{ origin, newest: 0, intervals: [...entry.intervals] }]);
  }

  /**
   * These are refused no more: they came after all, or are held by nobody. Peers that were told of a refusal hear of its end
   * with what is lifted next: they leave what is refused out of their hashes, and do not drop it on this replica's word.
   */
  removeAll(dots: Dots): void {
    if (this.#all.size === 0 || dots.length === 0) return;
    const ended = this.#all.common(dots);
    if (ended.length === 0) return;
    if (this.#ended.room < ROOM) this.#ended.addAll(ended);
    else this.#isOverflown = true;
    this.#remove(ended);
  }

  #remove(dots: Dots): void {
    this.#all.removeAll(dots);
    this.#ofOrigins.removeAll(dots);
    for (const [number, sizeClass] of this.#classes.entries()) {
      if (sizeClass === undefined) continue;
      sizeClass.dots.removeAll(dots);
      if (sizeClass.dots.size === 0) this.#classes[number] = undefined;
    }
  }

  /**
   * Refuses no more what there is room for now.
   * @param takes whether more of an origin can be taken up without room for another one
   * @returns those dots; none, with `all`, when peers shall offer again whatever was refused; `null`: there is no room
   */
  lift(
    { ids, bytes, origins }: Left,
    takes: (origin: Origin) => boolean = () => false,
  ): { readonly dots: Dots; readonly all: boolean } | null {
    if (this.isEmpty) return null;
    const lifted = [...this.#ended.dots(), ...this.#liftedOrigins(origins, takes)];
    this.#ended.removeAll(lifted);
    let left = ids;
    let leftBytes = bytes;
    for (const sizeClass of this.#classes) {
      if (sizeClass === undefined || left <= 0) continue;
      const count = Math.min(left, Math.floor(leftBytes / Math.max(1, sizeClass.most)));
      if (count <= 0) continue;
      const dots = firstDots(sizeClass.dots.dots(), count);
      for (const { intervals } of dots)
        for (let i = 0; i < intervals.length; i += 2) {
          const taken = (intervals[i + 1] as number) - (intervals[i] as number) + 1;
          left -= taken;
          leftBytes -= taken * sizeClass.most;
        }
      lifted.push(...dots);
    }
    if (lifted.length > 0) {
      // An origin stands once, whatever its updates were refused for and however large they were.
      const dots = Context.of(lifted).dots();
      this.#remove(dots);
      return { dots, all: false };
    }
    if (!this.#isOverflown || this.#hasLiftable || ids <= 0 || bytes <= 0 || origins <= 0) return null;
    this.clear();
    return { dots: [], all: true };
  }

  /** What is refused of origins that are known by now, and of as many others as there is room for. */
  #liftedOrigins(origins: number, takes: (origin: Origin) => boolean): OriginDots[] {
    const lifted: OriginDots[] = [];
    let left = origins;
    for (const { origin, intervals } of this.#ofOrigins.origins()) {
      const isKnown = takes(origin);
      if (!isKnown && left <= 0) continue;
      if (!isKnown) left--;
      lifted.push({ origin, newest: 0, intervals: intervals.slice() });
    }
    return lifted;
  }

  clear(): void {
    this.#ended.removeAll(this.#ended.dots());
    this.#all.removeAll(this.#all.dots());
    this.#ofOrigins.removeAll(this.#ofOrigins.dots());
    this.#classes.length = 0;
    this.#isOverflown = false;
  }
}

/** Whether a dot is in a set, or joins an interval of it. */
function isNeighbour(dots: Context, origin: Origin, sequence: number): boolean {
  const seen = dots.find(origin);
  return seen !== undefined && (seen.has(sequence) || seen.has(sequence - 1) || seen.has(sequence + 1));
}
