/**
 * Sets of dots as messages and state machines need them: gathered from updates, and cut into frames.
 *
 * Invariants
 *  1. Gathering and cutting keep the order of origins and never change what is given.
 *  2. Neighbours of one origin cost one step each and one interval together.
 */

import { Context, type Dots, type OriginDots } from '../context.ts';
import type { Update } from '../update.ts';

/** Intervals of one frame: ten bytes each at the worst. */
const FRAME_INTERVALS = 4096;

/** The dots of the updates, or of those that `chosen` picks. */
export function dotsOf(updates: readonly Update[], chosen?: (update: Update) => boolean): OriginDots[] {
  const dots = new Context();
  let first: Update | undefined;
  let last = 0;
  for (const update of updates) {
    if (chosen !== undefined && !chosen(update)) continue;
    if (first !== undefined && update.origin === first.origin && update.sequence === last + 1) {
      last++;
      continue;
    }
    if (first !== undefined) dots.add(first.origin, first.sequence, last);
    first = update;
    last = update.sequence;
  }
  if (first !== undefined) dots.add(first.origin, first.sequence, last);
  return dots.dots();
}

/** What is in `dots` and not in `others`. */
export function without(dots: Dots, others: Dots): Dots {
  return others.length === 0 || dots.length === 0 ? dots : Context.of(others).lacking(dots);
}

/** The first `count` dots. */
export function firstDots(dots: Dots, count: number): OriginDots[] {
  const result: OriginDots[] = [];
  let left = count;
  for (const { origin, intervals, newest } of dots) {
    const part: number[] = [];
    for (let i = 0; i < intervals.length && left > 0; i += 2) {
      const first = intervals[i] as number;
      const last = Math.min(intervals[i + 1] as number, first + left - 1);
      part.push(first, last);
      left -= last - first + 1;
    }
    if (part.length > 0) result.push({ origin, intervals: part, newest });
    if (left <= 0) break;
  }
  return result;
}

/** Cuts a set of dots for the wire. @param most intervals of one frame, where its receiver takes fewer than usual */
export function dotFrames(dots: Dots, most: number = FRAME_INTERVALS): Dots[] {
  const frames: OriginDots[][] = [];
  const intervalsOfFrame = Math.min(FRAME_INTERVALS, most);
  let frame: OriginDots[] = [];
  let room = intervalsOfFrame;
  for (const { origin, intervals, newest } of dots) {
    for (let from = 0; from < intervals.length;) {
      const to = Math.min(intervals.length, from + 2 * room);
      frame.push({ origin, intervals: to - from === intervals.length ? intervals : intervals.slice(from, to), newest });
      room -= (to - from) / 2;
      from = to;
      if (room > 0) continue;
      frames.push(frame);
      frame = [];
      room = intervalsOfFrame;
    }
  }
  if (frame.length > 0) frames.push(frame);
  return frames;
}
