/**
 * What a peer may say: valid messages of every kind, whose content is made up.
 *
 * Most of it is about a few origins, ids and numbers, so that one message meets what another has said.
 */
import {
  type Buckets,
  CONTEXT_BUCKETS,
  type Dots,
  LANES,
  LIVE_BUCKETS,
  type Message,
  type Origin,
  type OriginDots,
  STAMP_EPOCH_MS,
  stampAt,
  type Sum,
  Update,
} from '@grapevine/core';
import { encodeValue } from '@grapevine/wire';
import type { Dice } from './dice.ts';
import { oddNumbers, oddValues } from './oddities.ts';

/** Of whom and of what is spoken. */
export interface World {
  readonly origins: readonly Origin[];
  readonly ids: readonly string[];
  readonly members: readonly { readonly name: string; readonly epoch: number; readonly url: string | null }[];
  /** Wall-clock milliseconds of the nodes. */
  readonly now: () => number;
}

/** The transfers that the node has asked for: numbers that it gave out. */
export interface Heard {
  readonly invitations: number[];
}

const kinds: readonly (readonly [weight: number, type: Message['type']])[] = [
  [3, 'hashes'],
  [1, 'bucket-sums'],
  [3, 'contexts'],
  [5, 'chunk'],
  [3, 'end'],
  [2, 'ack'],
  [1, 'live-sums'],
  [2, 'live-dots'],
  [1, 'refused'],
  [1, 'room'],
  [9, 'updates'],
  [4, 'announce'],
  [3, 'feedback'],
  [3, 'ask'],
  [2, 'gone'],
  [2, 'pull'],
];

const names = ['__proto__', 'constructor', 'toString', 'then', 'a', 'field', ''];

export class Speaker {
  readonly #dice: Dice;
  readonly #world: World;
  readonly #heard: Heard;
  /** The next index of each transfer. */
  readonly #indexes = new Map<number, number>();

  constructor(dice: Dice, world: World, heard: Heard) {
    this.#dice = dice;
    this.#world = world;
    this.#heard = heard;
  }

  /** @param accepts which kinds the instance knows; others are rare */
  message(accepts: (message: Message) => boolean): Message {
    for (;;) {
      const message = this.#message(this.#dice.weighted(kinds));
      if (accepts(message) || this.#dice.chance(0.0005)) return message;
    }
  }

  #message(type: Message['type']): Message {
    const dice = this.#dice;
    switch (type) {
      case 'hashes':
        return { type, context: this.#sum(), live: this.#sum(), horizonMs: this.#wall(), direction: this.#direction() };
      case 'bucket-sums':
        return { type, sums: this.#sums(CONTEXT_BUCKETS), direction: this.#direction() };
      case 'contexts':
        return {
          type,
          buckets: this.#buckets(CONTEXT_BUCKETS),
          dots: this.#dots(),
          invitation: this.#invitation(),
          answer: dice.chance(0.5),
        };
      case 'chunk': {
        const invitation = this.#invitation();
        return { type, invitation, index: this.#index(invitation), updates: this.#updates() };
      }
      case 'end': {
        const invitation = this.#invitation();
        return {
          type,
          invitation,
          index: this.#index(invitation),
          buckets: this.#buckets(CONTEXT_BUCKETS),
          claim: this.#dots(),
          context: this.#sum(),
          live: this.#sum(),
          horizonMs: this.#wall(),
        };
      }
      case 'ack':
        return { type, invitation: this.#invitation(), index: this.#number(8) };
      case 'live-sums':
        return { type, sums: this.#sums(LIVE_BUCKETS), horizonMs: this.#wall() };
      case 'live-dots':
        return {
          type,
          buckets: this.#buckets(LIVE_BUCKETS),
          dots: this.#dots(),
          context: this.#dots(),
          horizonMs: this.#wall(),
          answer: dice.chance(0.5),
        };
      case 'updates':
        return { type, cause: dice.pick(['mail', 'push', 'answer'] as const), updates: this.#updates() };
      case 'announce':
        return { type, dots: this.#dots(), pulled: dice.chance(0.3) };
      case 'feedback':
        return { type, known: this.#dots(), news: this.#dots() };
      case 'refused':
        return dice.chance(0.5) ? { type, dots: this.#dots(), tooLarge: true } : { type, dots: this.#dots() };
      case 'withheld': {
        const [entry] = this.#dots();
        if (entry === undefined) return { type: 'refused', dots: [] };
        const { origin, intervals } = entry;
        const sequence = intervals[0] as number;
        return { type, origin, sequence, id: 'k', bytes: this.#number(2 ** 22) };
      }
      case 'held-back':
      case 'disowned':
      case 'room':
      case 'ask':
      case 'gone':
        return { type, dots: this.#dots() };
      case 'pull':
        return { type };
      case 'custom':
        return this.membership();
      default:
        return type satisfies never;
    }
  }

  /** A message of SWIM. */
  membership(): Message {
    const dice = this.#dice;
    const kind = dice.weighted([
      [4, 0],
      [3, 1],
      [2, 2],
      [1, 3],
      [4, 4],
      [2, 5],
      [2, 6],
      [0.5, 7],
      [0.2, 8],
    ] as const);
    const records = (): unknown[] => Array.from({ length: dice.below(4) }, () => this.#record());
    const bodies = [
      () => [kind, this.#number(50), records()],
      () => [kind, this.#number(50), records()],
      () => [kind, this.#number(50), dice.pick(this.#world.members).name],
      () => [kind, this.#number(50)],
      () => [kind, records()],
      () => [kind, this.#lane(), this.#lane()],
      () => [kind, records(), dice.chance(0.3)],
      () => [kind],
      () => [8 + dice.below(200), this.#value()],
    ] as const;
    return { type: 'custom', body: bodies[kind]() };
  }

  #record(): unknown[] {
    const dice = this.#dice;
    const { name, epoch, url } = dice.pick(this.#world.members);
    const state = dice.below(4);
    const accusers = Array.from({ length: dice.below(4) }, () => dice.pick(this.#world.members).name);
    const meta = dice.chance(0.3) ? { [dice.pick(names)]: dice.pick(['x', 1, true, 1e308]) } : {};
    const claimed = dice.chance(0.002) ? dice.pick(oddNumbers) : epoch;
    return [name, claimed, this.#number(20), state, url, meta, state === 1 ? accusers : []];
  }

  #updates(): Update[] {
    const count = this.#dice.weighted([
      [1, 0],
      [8, 1],
      [6, 3],
      [1, 20],
    ] as const);
    return Array.from({ length: count }, () => this.#update());
  }

  #update(): Update {
    const dice = this.#dice;
    const { origins, ids, now } = this.#world;
    const value = dice.chance(0.15) ? undefined : this.#bytes();
    const wall = this.#wall();
    // Soon: what has expired within the drift of clocks is compared by nobody before it has.
    const expiresAt = dice.chance(0.1) ? dice.pick([now() + 1000, now() - 1, now() + 10_000]) : undefined;
    const counter = dice.below(3);
    const stamp = stampAt(Math.max(wall, STAMP_EPOCH_MS + 1)) + counter;
    return new Update(dice.pick(ids), value, stamp, dice.pick(origins), this.#sequence(), expiresAt);
  }

  #bytes(): string {
    const dice = this.#dice;
    return dice.chance(0.01) ? dice.pick(oddValues).toString('latin1') : encodeValue(this.#value());
  }

  #value(depth = 0): unknown {
    const dice = this.#dice;
    switch (dice.below(depth > 3 ? 6 : 9)) {
      case 0:
        return null;
      case 1:
        return dice.chance(0.5);
      case 2:
        return dice.pick(oddNumbers);
      case 3:
        return dice.pick([Number.NaN, Number.POSITIVE_INFINITY, -0, 1e308, -1.5, 2n ** 64n - 1n, -(2n ** 63n)]);
      case 4:
        return dice.pick(names);
      case 5:
        return dice.chance(0.5) ? new Date(dice.pick(oddNumbers) % 8.64e15) : dice.bytes(dice.below(20));
      case 6:
        return Array.from({ length: dice.below(4) }, () => this.#value(depth + 1));
      case 7:
        return new Map([[this.#value(depth + 1), this.#value(depth + 1)]]);
      default: {
        const object: Record<string, unknown> = {};
        for (let i = dice.below(3); i >= 0; i--)
          Object.defineProperty(object, dice.pick(names), {
            value: this.#value(depth + 1),
            enumerable: true,
            configurable: true,
            writable: true,
          });
        return object;
      }
    }
  }

  #dots(): Dots {
    const dice = this.#dice;
    const chosen = new Set(Array.from({ length: dice.below(4) }, () => dice.pick(this.#world.origins)));
    return [...chosen].map((origin): OriginDots => {
      const intervals: number[] = [];
      let free = 1;
      for (
        let count = dice.weighted([
          [6, 1],
          [2, 2],
          [1, 5],
          [0.1, 60],
        ] as const);
        count > 0;
        count--
      ) {
        const first =
          free +
          dice.weighted([
            [6, 0],
            [4, dice.below(5)],
            [0.2, dice.pick(oddNumbers)],
          ] as const);
        const last =
          first +
          dice.weighted([
            [6, 0],
            [4, dice.below(20)],
            [0.2, dice.pick(oddNumbers)],
          ] as const);
        if (last > Number.MAX_SAFE_INTEGER) break;
        intervals.push(first, last);
        free = last + 2;
      }
      return { origin, intervals, newest: dice.chance(0.8) ? stampAt(this.#wall()) : dice.pick(oddNumbers) };
    });
  }

  #sequence(): number {
    const dice = this.#dice;
    return Math.max(
      1,
      dice.weighted([
        [50, 1 + dice.below(60)],
        [10, 1 + dice.below(3000)],
        [0.5, dice.pick(oddNumbers)],
      ] as const),
    );
  }

  #buckets(count: number): Buckets {
    const dice = this.#dice;
    if (dice.chance(0.6)) return 'all';
    return [...new Set(Array.from({ length: dice.below(6) }, () => dice.below(count)))];
  }

  #sums(buckets: number): Int32Array {
    const dice = this.#dice;
    const sums = new Int32Array(LANES * buckets);
    for (let i = dice.below(6); i > 0; i--) sums[dice.below(sums.length)] = this.#lane();
    return dice.chance(0.02) ? sums.fill(this.#lane()) : sums;
  }

  #sum(): Sum {
    return Int32Array.from({ length: LANES }, () => this.#lane());
  }

  #lane(): number {
    return Math.trunc((this.#dice.random() - 0.5) * 2 ** 32);
  }

  #direction(): 'push' | 'pull' | 'push-pull' {
    return this.#dice.pick(['push', 'pull', 'push-pull'] as const);
  }

  /** Around the time of the nodes; sometimes far from it. */
  #wall(): number {
    const dice = this.#dice;
    const now = this.#world.now();
    return dice.weighted([
      [20, now - dice.below(100_000)],
      [3, now + dice.below(50_000)],
      [1, now + 1e9],
      [0.5, STAMP_EPOCH_MS + dice.below(10)],
    ] as const);
  }

  #invitation(): number {
    const { invitations } = this.#heard;
    if (invitations.length > 0 && this.#dice.chance(0.8)) return invitations.at(-1) as number;
    return this.#number(10);
  }

  #index(invitation: number): number {
    if (this.#dice.chance(0.1)) return this.#number(5);
    const index = this.#indexes.get(invitation) ?? 0;
    this.#indexes.set(invitation, index + 1);
    return index;
  }

  #number(usual: number): number {
    return this.#dice.chance(0.05) ? this.#dice.pick(oddNumbers) : this.#dice.below(usual);
  }
}
