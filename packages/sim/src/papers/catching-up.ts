/**
 * What anti-entropy costs where much is equal: two sites share many ids, and one of them has some more.
 *
 * Invariants
 *  1. Bytes are those of the real frames, from the first of the exchange to silence, both ways.
 *  2. What is missing is missed either at the end of the writer's numbers (a peer that was away for a while) or scattered
 *     among them (the worst for intervals).
 *
 * Source: Demers et al. 1987, section 1.3, on comparing databases by checksums and recent updates.
 */

import {
  entropy,
  keepAll,
  type Message,
  Origin,
  type Received,
  stampAt,
  Update,
  seededRandom,
  sample,
  sameSum,
  type Sum,
} from '@grapevine/core';
import { copyOf, indexOf, type Network, peerOf, Site } from './site.ts';
import { Traffic } from './traffic.ts';

export interface CatchingUp {
  /** Ids that both have, and that one lacks, together. */
  readonly total: number;
  readonly missing: number;
  readonly where: 'newest' | 'scattered';
  readonly seed: number;
}

export interface CaughtUp {
  /** All frames of the exchange. */
  readonly bytes: number;
  readonly messages: number;
  /** What the missing updates are of themselves: ids, values, stamps, sequence numbers, as the codec writes them. */
  readonly updateBytes: number;
  /** Updates that were sent. */
  readonly sent: number;
  /** Whether both hold the same in the end. */
  readonly equal: boolean;
}

const T0 = 1_800_000_000_000;
const VALUE = '\x81\xa5value\xcd09';

export function catchUp(setup: CatchingUp): CaughtUp {
  const pair = new Pair();
  const origin = new Origin('writer', 1);
  const updates = Array.from(
    { length: setup.total },
    (_, i) => new Update(`id-${i}`, VALUE, stampAt(T0 + i), origin, i + 1, undefined),
  );
  const lacked = new Set(missingOf(setup));
  pair.hold(0, updates);
  pair.hold(
    1,
    updates.filter((_, index) => !lacked.has(index)),
  );
  const { bytes, messages, values, equal } = pair.meet();
  const alone = new Traffic(true);
  const chunk = updates.filter((_, index) => lacked.has(index));
  if (chunk.length > 0) alone.count(0, 1, { type: 'chunk', invitation: 1, index: 0, updates: chunk });
  return { bytes, messages, updateBytes: alone.bytes, sent: values, equal };
}

function missingOf({ total, missing, where, seed }: CatchingUp): number[] {
  const indexes = Array.from({ length: total }, (_, index) => index);
  return where === 'newest' ? indexes.slice(total - missing) : sample(seededRandom(seed), indexes, missing);
}

/** Two sites that run anti-entropy and are joined by a way without delay. */
class Pair implements Network {
  readonly #sites: readonly Site[];
  #traffic = new Traffic(true);
  #mail: { readonly to: Site; readonly received: Received }[] = [];

  constructor() {
    const random = seededRandom(1);
    this.#sites = [0, 1].map((index) => new Site({ index, protocol: entropy(), network: this, random }));
    for (const { machine } of this.#sites) machine.start(T0);
  }

  hold(index: number, updates: readonly Update[]): void {
    const { replica } = this.#sites[index] as Site;
    const copy = copyOf({ type: 'updates', cause: 'mail', updates });
    if (copy.type === 'updates') replica.admit(copy.updates, keepAll, T0 + updates.length);
  }

  /** Connects the two and lets them speak until there is nothing more to say. */
  meet(): { readonly bytes: number; readonly messages: number; readonly values: number; readonly equal: boolean } {
    const nowMs = T0 + 3_600_000;
    const [a, b] = this.#sites as [Site, Site];
    a.machine.peersChanged([peerOf(b.name)], nowMs);
    b.machine.peersChanged([peerOf(a.name)], nowMs);
    for (let next = this.#mail.shift(); next !== undefined; next = this.#mail.shift())
      next.to.receive([next.received], nowMs);
    const live = [a, b].map(({ replica }) => replica.store.liveSum(nowMs));
    const equal = sameSum(live[0] as Sum, live[1] as Sum);
    const { bytes, messages, values } = this.#traffic;
    return { bytes, messages, values, equal };
  }

  send(from: Site, to: string, message: Message): void {
    const index = indexOf(to) as number;
    this.#traffic.count(from.index, index, message);
    this.#mail.push({ to: this.#sites[index] as Site, received: { from: from.name, message: copyOf(message) } });
  }

  setTimer(): void {
    // The meeting itself is the first exchange, and time stands still in it.
  }
}
