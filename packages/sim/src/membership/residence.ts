/**
 * A residence: where and as whom a node lives that finds its peers by a membership, through all its lives.
 *
 * Invariants
 *  1. Every life has an epoch of its own, by the node's own clock, which may be behind that of a former one.
 *  2. A crash of the tracker loses neither the connections nor what was published last.
 *
 * Source: actors/src/node.ts, actors/src/transport.ts.
 */

import {
  below,
  type Member,
  type Membership,
  type MemberStatus,
  type Message,
  type Random,
  type Replica,
} from '@grapevine/core';
import { chance } from '../chance.ts';
import { Dialler, type Dialling, type Places } from './dialler.ts';
import { Tracker } from './tracker.ts';

export interface ResidenceNature {
  /** The share of its lives that begin at another URL. */
  readonly moves: number;
  /** The share of its lives that know what the last one remembered. */
  readonly remembers: number;
  /** The share of its lives whose clock, as they begin, is behind the beginning of the last one. */
  readonly behind: number;
  readonly maxConnections: number;
}

export interface ResidenceDetails {
  readonly world: Places & { readonly nowMs: number };
  readonly node: ResidentNode;
  readonly membership: Membership;
  readonly nature: ResidenceNature;
  readonly random: Random;
  readonly forgetAfterMs: number;
  readonly moves?: number;
}

/** The node, as its residence needs it. */
export interface ResidentNode extends Dialling {
  /** Its own clock: wall-clock milliseconds. */
  readonly nowMs: number;
  readonly replica: Replica;
  /** By its own clock, and by chance. */
  newEpoch(): number;
  say(to: readonly string[], message: Message): void;
  viewChanged(roster: readonly MemberStatus[], names: ReadonlySet<string>, beyond: number): void;
  /** All that it runs is started anew; its replica lives on. */
  renew(): void;
  broken(what: string): void;
  /** For the trace. */
  note(what: string): void;
}

/** As the actors leap where others remember a later life. */
const EPOCH_LEAP = 2 ** 20;

/** Eight seconds. */
const MOST_BEHIND = 8000 * 4096;

/** Where the node of this name lives after so many moves. */
export function urlOf(name: string, moves: number): string {
  return `ws://${name}.${moves}`;
}

export class Residence {
  readonly membership: Membership;
  epoch = 0;
  /** Whom it knows, and how. */
  roster: readonly MemberStatus[] = [];
  /** Those who are there. */
  names: ReadonlySet<string> = new Set();
  /** How many of them are not connected. */
  beyond = 0;
  dialler: Dialler | null = null;
  tracker: Tracker | null = null;
  /** Whether this life has been told that another of its name lives, or was refused. */
  isTold = false;
  /** What the next life may know. */
  remembered: readonly string[] = [];
  readonly #details: ResidenceDetails;
  #known: readonly string[] = [];
  #moves: number;
  #lives = 0;
  #beganMs = 0;

  constructor(details: ResidenceDetails) {
    this.#details = details;
    this.membership = details.membership;
    this.#moves = details.moves ?? 0;
  }

  /** `null`: it only dials. */
  get url(): string | null {
    const { node } = this.#details;
    return node.nature.dialsOnly ? null : urlOf(node.name, this.#moves);
  }

  /** A life begins, with nothing but what is remembered. */
  begin(): void {
    const { node, nature, random, world } = this.#details;
    if (this.#lives++ > 0) {
      if (chance(random, nature.moves)) this.#moves += 1;
      this.#known = chance(random, nature.remembers) ? this.remembered : [];
    }
    this.#beganMs = world.nowMs;
    this.isTold = false;
    const isBehind = this.#lives > 1 && chance(random, nature.behind);
    this.epoch = isBehind ? this.epoch - 1 - below(random, MOST_BEHIND) : node.newEpoch();
    this.roster = [];
    this.names = new Set();
    this.beyond = 0;
    this.#listen();
    this.#track();
  }

  /** A connection is open. */
  connected(member: Member): void {
    const { node, nature } = this.#details;
    if (node.ends.size > nature.maxConnections) node.broken(`it has ${node.ends.size} connections`);
    this.tracker?.connected(member);
  }

  leave(): void {
    this.tracker?.leave();
  }

  toldOfOther(): void {
    this.isTold = true;
  }

  /** It is over. */
  end(): void {
    this.dialler?.stop();
    this.tracker?.stop();
    this.dialler = null;
    this.tracker = null;
  }

  /** The tracker crashes and is started again. */
  crash(): void {
    this.tracker?.stop();
    this.#track();
  }

  #listen(): void {
    const { world, node } = this.#details;
    const member = { name: node.name, epoch: this.epoch, url: this.url };
    this.dialler = new Dialler(world, {
      node,
      member,
      maxConnections: this.#details.nature.maxConnections,
      ended: (end) => {
        node.note(`dialled ${end.url}: ${end.outcome}`);
        if (end.outcome === 'refused') this.toldOfOther();
        this.tracker?.dialEnded(end);
      },
    });
  }

  #track(): void {
    const { world, node, membership, nature, random, forgetAfterMs } = this.#details;
    const { ends } = node;
    const tracker: Tracker = new Tracker({
      membership,
      self: { name: node.name, epoch: this.epoch, url: this.url },
      random,
      inherited: this.roster,
      remembered: this.#known,
      forgetAfterMs,
      maxConnections: nature.maxConnections,
      nowMs: () => world.nowMs - this.#beganMs,
      after: (delayMs, act) => world.after(delayMs, act),
      whenRunning: (act) =>
        node.whenRunning(() => {
          if (this.tracker === tracker) act();
        }),
      ends,
      dial: (url) => this.dialler?.dial(url),
      send: (to, message) => node.say(to, message),
      outlive: (epoch) => this.#outlive(epoch),
      remember: (urls) => {
        this.remembered = urls;
      },
      published: (roster, names, beyond) => {
        this.names = names;
        this.beyond = beyond;
        node.viewChanged(roster, names, beyond);
        this.roster = roster;
      },
      broken: (what) => node.broken(what),
      toldOfOther: () => this.toldOfOther(),
    });
    this.tracker = tracker;
    tracker.start();
  }

  /** It takes a higher epoch than that, and everything but its replica begins anew. */
  #outlive(epoch: number): void {
    const { node, random } = this.#details;
    node.note('outlives a later life of its name');
    this.end();
    for (const end of [...node.ends.values(), ...node.reserved]) end.close();
    // What this node shares with another, its replica may share.
    if (epoch === this.epoch) node.replica.leaveEpoch(node.nowMs);
    this.epoch = Math.max(node.newEpoch(), epoch + 1 + below(random, EPOCH_LEAP));
    this.#listen();
    this.#track();
    node.renew();
  }
}
