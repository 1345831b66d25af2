/**
 * What a message costs here: in work, which a peer's allowance is about, and in memory, which pressure is about.
 *
 * Invariants
 *  1. A peer cannot make work or memory that is not counted: what it asks for counts as what it brings, and a set of dots
 *     counts by its parts, since two bytes on the wire may be sixteen here.
 *  2. It costs no object.
 */

import type { Dots, Message } from '@grapevine/core';

/** Parts of a set of dots that are as much work as an update. */
const PARTS_OF_WORK = 4;
/** Bytes that are as much work as an update where nobody counts what they hold: about a record of a member. */
const BYTES_OF_WORK = 32;
/** The same of a frame of the connection itself: an origin with its number may take as few. */
const CONTROL_BYTES_OF_WORK = 8;
/** Dots of an ask that are answered at most. */
const ASKED_AT_MOST = 8192;
/** A message on its way through mailboxes, beside what it holds. */
const MESSAGE_BYTES = 256;
/** An update with its strings, beside their bytes. */
const UPDATE_BYTES = 160;
const ORIGIN_BYTES = 160;
const INTERVAL_BYTES = 16;

/** Of a frame of the connection itself, in updates: of channels, and of origins and their numbers. */
export function workOfControl(frameBytes: number): number {
  return 1 + Math.floor(frameBytes / CONTROL_BYTES_OF_WORK);
}

/**
 * In updates: those that it holds or asks for, what its sets of dots are worth, and one for itself.
 * @param frameBytes what it took on the wire
 */
export function workOf(message: Message, frameBytes: number): number {
  switch (message.type) {
    case 'updates':
    case 'chunk':
      return 1 + message.updates.length;
    case 'ask':
      return 1 + askedIn(message.dots) + workOfDots(message.dots);
    case 'announce':
    case 'gone':
    case 'refused':
    case 'room':
    case 'held-back':
    case 'disowned':
    case 'contexts':
      return 1 + workOfDots(message.dots);
    case 'feedback':
      return 1 + workOfDots(message.known) + workOfDots(message.news) + workOfDots(message.untaken ?? []);
    case 'end':
      return 1 + workOfDots(message.claim);
    case 'live-dots':
      return 1 + workOfDots(message.dots) + workOfDots(message.context);
    case 'bucket-sums':
    case 'live-sums':
    case 'custom':
      return 1 + Math.floor(frameBytes / BYTES_OF_WORK);
    case 'hashes':
    case 'ack':
    case 'withheld':
    case 'pull':
      return 1;
    default:
      return message satisfies never;
  }
}

function workOfDots(dots: Dots): number {
  let parts = dots.length;
  for (let i = 0; i < dots.length; i++) parts += (dots[i]?.intervals.length ?? 0) / 2;
  return Math.floor(parts / PARTS_OF_WORK);
}

/** In bytes while it waits, roughly. @param frameBytes what it took on the wire */
export function weightOf(message: Message, frameBytes: number): number {
  switch (message.type) {
    case 'updates':
    case 'chunk':
      return MESSAGE_BYTES + frameBytes + UPDATE_BYTES * message.updates.length;
    case 'announce':
    case 'ask':
    case 'gone':
    case 'refused':
    case 'room':
    case 'held-back':
    case 'disowned':
    case 'contexts':
      return MESSAGE_BYTES + frameBytes + weightOfDots(message.dots);
    case 'feedback':
      return (
        MESSAGE_BYTES +
        frameBytes +
        weightOfDots(message.known) +
        weightOfDots(message.news) +
        weightOfDots(message.untaken ?? [])
      );
    case 'end':
      return MESSAGE_BYTES + frameBytes + weightOfDots(message.claim);
    case 'live-dots':
      return MESSAGE_BYTES + frameBytes + weightOfDots(message.dots) + weightOfDots(message.context);
    default:
      return MESSAGE_BYTES + frameBytes;
  }
}

function weightOfDots(dots: Dots): number {
  let bytes = 0;
  for (let i = 0; i < dots.length; i++) bytes += ORIGIN_BYTES + (INTERVAL_BYTES / 2) * (dots[i]?.intervals.length ?? 0);
  return bytes;
}

function askedIn(dots: Dots): number {
  let count = 0;
  for (const { intervals } of dots) {
    for (let i = 0; i < intervals.length; i += 2) count += (intervals[i + 1] as number) - (intervals[i] as number) + 1;
    if (count >= ASKED_AT_MOST) return ASKED_AT_MOST;
  }
  return count;
}
