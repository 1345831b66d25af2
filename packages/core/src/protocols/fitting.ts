/**
 * What a machine sends, cut to the frames that its peers take.
 *
 * Invariants
 *  1. No message with updates or dots is sent to a peer whose frame it would exceed, by a bound that no encoding exceeds. A
 *     message of another kind cannot be cut: what carries frames says so where one of them does not fit.
 *  2. In the place of an update that fits into no frame of a peer, that peer is told that it was withheld.
 *  3. Where all peers take frames of `AMPLE_BYTES` and an update fits, a message leaves as it came: one for all.
 *
 * Source: docs/algorithm.md, "A peer that takes smaller frames".
 */

import { Batch } from '../batch.ts';
import { Context, type Dots } from '../context.ts';
import type { Feedback, Message, Updates, Withheld } from '../messages.ts';
import type { Effects, Environment } from '../protocol.ts';
import type { Replica } from '../replica.ts';
import type { Update } from '../update.ts';
import { dotFrames } from './dots.ts';

/** Whatever the usual bounds of a batch and of a set of dots let through fits into a frame of so many bytes. */
const AMPLE_BYTES = 256 * 1024;
/** What a frame holds beside its updates or dots. */
const FRAME_BYTES = 256;
/** What an update takes beside id and value at the worst: its run, stamp, lengths and expiry. */
const UPDATE_BYTES = 48;
/** An interval at the worst, where it has an origin of its own. */
const INTERVAL_BYTES = 40;

/** The largest frame that a peer takes, in bytes. */
export type FrameBytesOf = (peer: string) => number;

/** An environment in which what is sent fits into the frames of those that it is for. */
export function fitted(environment: Environment, frameBytesOf: FrameBytesOf): Environment {
  const { self, replica, effects, random, judged } = environment;
  return {
    self,
    replica,
    random,
    judged,
    effects: {
      send: (to, message) => send(replica, effects, frameBytesOf, to, message),
      offer: (offer) => effects.offer(offer),
      setTimer: (timer, delayMs) => effects.setTimer(timer, delayMs),
      report: (error) => effects.report(error),
    },
  };
}

/** Whether an update fits into a frame of so many bytes. */
export function fits(update: Update, frameBytes: number): boolean {
  return fitsWith(update.id, update.value?.length ?? 0, frameBytes);
}

/** As `fits`, of an update with this id and a value of so many bytes. */
export function fitsWith(id: string, valueBytes: number, frameBytes: number): boolean {
  // Each of its characters is a byte at least and three at most.
  if (3 * id.length + valueBytes + FRAME_BYTES + UPDATE_BYTES <= frameBytes) return true;
  return wireBytes(id, valueBytes) + FRAME_BYTES <= frameBytes;
}

/** So many bytes of updates, each counted by `wireBytes`, fit into a frame. */
export function roomIn(frameBytes: number): number {
  return frameBytes - FRAME_BYTES;
}

/** Whether the usual bounds of a batch are enough for a peer. */
export function isAmple(frameBytes: number): boolean {
  return frameBytes >= AMPLE_BYTES;
}

/** What an update takes in a frame, at the worst. */
export function wireBytes(id: string, valueBytes: number): number {
  let bytes = valueBytes + UPDATE_BYTES;
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : 3;
  }
  return bytes;
}

/** Tells one peer, or several, that an update is withheld, and counts it. */
export function withhold(replica: Replica, update: Update): Withheld {
  replica.withheld++;
  const { origin, sequence, id, value } = update;
  return { type: 'withheld', origin, sequence, id: id.slice(0, 80), bytes: id.length + (value?.length ?? 0) };
}

function send(
  replica: Replica,
  effects: Effects,
  frameBytesOf: FrameBytesOf,
  to: string | readonly string[],
  message: Message,
): void {
  if (typeof to === 'string') return sendTo(replica, effects, frameBytesOf(to), to, message);
  let least = Infinity;
  for (const peer of to) least = Math.min(least, frameBytesOf(peer));
  if (isWhole(message, least)) return effects.send(to, message);
  // One message for all of one bound.
  const byBound = new Map<number, string[]>();
  for (const peer of to) {
    const bound = frameBytesOf(peer);
    const peers = byBound.get(bound);
    if (peers === undefined) byBound.set(bound, [peer]);
    else peers.push(peer);
  }
  for (const [bound, peers] of byBound) sendTo(replica, effects, bound, peers, message);
}

/** Whether a message fits for certain, without being looked through. */
function isWhole(message: Message, frameBytes: number): boolean {
  if (frameBytes === Infinity) return true;
  if (message.type === 'updates') {
    // A batch of several stays below its own bound.
    return (
      isAmple(frameBytes) && (message.updates.length > 1 || [...message.updates].every((one) => fits(one, frameBytes)))
    );
  }
  return isAmple(frameBytes);
}

function sendTo(
  replica: Replica,
  effects: Effects,
  frameBytes: number,
  to: string | readonly string[],
  message: Message,
): void {
  if (isWhole(message, frameBytes)) return effects.send(to, message);
  switch (message.type) {
    case 'updates':
      return sendUpdates(replica, effects, frameBytes, to, message);
    case 'announce':
    case 'ask':
    case 'gone':
    case 'held-back':
    case 'disowned':
    case 'refused':
    case 'room':
      // An empty set of dots has a meaning of its own.
      if (message.dots.length === 0) return effects.send(to, message);
      for (const dots of framesIn(message.dots, frameBytes)) effects.send(to, { ...message, dots });
      return;
    case 'feedback':
      return sendFeedback(effects, frameBytes, to, message);
    default:
      return effects.send(to, message);
  }
}

function sendUpdates(
  replica: Replica,
  effects: Effects,
  frameBytes: number,
  to: string | readonly string[],
  { type, cause, updates }: Updates,
): void {
  const room = roomIn(frameBytes);
  let batch = new Batch();
  let bytes = 0;
  const leave = (): void => {
    if (batch.length > 0) effects.send(to, { type, cause, updates: batch });
    batch = new Batch();
    bytes = 0;
  };
  for (const update of updates) {
    const more = wireBytes(update.id, update.value?.length ?? 0);
    if (bytes + more > room) leave();
    if (more > room) {
      effects.send(to, withhold(replica, update));
      continue;
    }
    batch.add(update);
    bytes += more;
  }
  leave();
}

function sendFeedback(effects: Effects, frameBytes: number, to: string | readonly string[], message: Feedback): void {
  const { type, known, news, untaken } = message;
  if (intervalsOf(known, news, untaken ?? []) <= mostIntervals(frameBytes)) return effects.send(to, message);
  for (const dots of framesIn(known, frameBytes / 2))
    effects.send(to, {
      type,
      known: dots,
      news: [],
      ...(untaken === undefined ? {} : { untaken: Context.of(untaken).common(dots) }),
    });
  for (const dots of framesIn(news, frameBytes)) effects.send(to, { type, known: [], news: dots });
}

function framesIn(dots: Dots, frameBytes: number): Dots[] {
  return dotFrames(dots, mostIntervals(frameBytes));
}

function mostIntervals(frameBytes: number): number {
  return Math.floor((frameBytes - FRAME_BYTES) / INTERVAL_BYTES);
}

function intervalsOf(...sets: readonly Dots[]): number {
  let count = 0;
  for (const dots of sets) for (const { intervals } of dots) count += intervals.length / 2;
  return count;
}
