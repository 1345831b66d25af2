/**
 * How nodes come to be connected that choose for themselves with whom: single dials, and one connection per pair.
 *
 * Invariants
 *  1. Every dial ends once, at its timeout at the latest; of a process that is over, none does.
 *  2. A dialler commits only while it has no other connection with the peer, and an acceptor obeys every commit.
 *  3. Where two dials cross, that of the lower name wins.
 *  4. Of two lives of one name the later stays.
 *  5. There are never more than `maxConnections`, those included that have been answered and wait for the commit; who
 *     comes for the place of a connection that is open needs no room.
 *
 * Source: docs/wire.md, "One connection per pair"; the transport does the same.
 */

import { type DialEnd, GossipError, type Member } from '@grapevine/core';
import type { Host, Link } from '../connection.ts';
import type { Act } from '../event-queue.ts';

/** A node that dials and is dialled. */
export interface Dialling extends Host {
  /** `null` while it is dead. */
  readonly dialler: Dialler | null;
  /** Whether it died without a word: what is sent to it is not answered, not even that nobody is there. */
  readonly isSilent: boolean;
}

/** Where they do so. */
export interface Places {
  after(delayMs: number, act: Act): void;
  /** Who has this URL, living or dead; `undefined`: nobody any more. */
  nodeAt(url: string): Dialling | undefined;
  linkOf(a: number, b: number): Link | undefined;
}

export interface DiallerDetails {
  readonly node: Dialling;
  /** As this life says hello. */
  readonly member: Member;
  readonly maxConnections: number;
  readonly ended: (end: DialEnd) => void;
}

interface Dial {
  readonly url: string;
  readonly from: Dialler;
  /** How often it was asked for. */
  times: number;
  isOver: boolean;
}

/** As long as the transport gives a dial. */
export const DIAL_TIMEOUT_MS = 5000;
/** How long a former life of a newcomer is waited for. */
const RIVAL_TIMEOUT_MS = 500;

/** One life of a node, as others meet it. */
export class Dialler {
  readonly member: Member;
  readonly node: Dialling;
  readonly #places: Places;
  readonly #maxConnections: number;
  readonly #ended: (end: DialEnd) => void;
  /** By URL. */
  readonly #dials = new Map<string, Dial>();
  /** Dials of others that were answered and have not committed. */
  readonly #reservations = new Set<Dial>();
  #isOver = false;

  constructor(places: Places, { node, member, maxConnections, ended }: DiallerDetails) {
    this.#places = places;
    this.node = node;
    this.member = member;
    this.#maxConnections = maxConnections;
    this.#ended = ended;
  }

  /** How many are under way. */
  get size(): number {
    return this.#dials.size;
  }

  /** This life is over: nothing is answered any more. */
  stop(): void {
    this.#isOver = true;
    for (const dial of this.#dials.values()) dial.isOver = true;
    this.#dials.clear();
    this.#reservations.clear();
  }

  dial(url: string): void {
    const underWay = this.#dials.get(url);
    if (underWay !== undefined) {
      underWay.times += 1;
      return;
    }
    const dial: Dial = { url, from: this, times: 1, isOver: false };
    this.#dials.set(url, dial);
    for (const { hello } of this.node.ends.values())
      if (hello !== null && hello.url === url) {
        this.#places.after(0, () => this.#end(dial, 'duplicate', hello));
        return;
      }
    if (!this.#hasRoom(null)) return this.#places.after(0, () => this.#end(dial, 'refused', null));
    this.#places.after(DIAL_TIMEOUT_MS, () => this.#end(dial, 'failed', null));
    const to = this.#places.nodeAt(url);
    if (to === this.node) return this.#places.after(1, () => this.#end(dial, 'self', this.member));
    const link = to && this.#places.linkOf(this.node.index, to.index);
    // An address that nobody has any more answers nothing.
    if (link !== undefined) this.#reach(dial, to as Dialling, link);
  }

  #reach(dial: Dial, to: Dialling, link: Link): void {
    const { node } = this;
    this.#go(link, to, () => {
      const { dialler } = to;
      if (dialler !== null)
        return this.#go(link, node, () => this.#go(link, to, () => to.whenRunning(() => dialler.#hello(dial, link))));
      if (!to.isSilent) this.#go(link, node, () => this.#end(dial, 'failed', null));
    });
  }

  /** Something goes to a node, unless the way is blocked: then the dial waits for its timeout. */
  #go(link: Link, to: Host, act: Act): void {
    if (!link.isBlockedTo(to)) this.#places.after(link.latency(), act);
  }

  // The acceptor's side.

  /** @param asked whether a former life of the newcomer was waited for already */
  #hello(dial: Dial, link: Link, asked = false): void {
    const { from } = dial;
    if (this.#isOver || dial.isOver) return;
    const { name, epoch, url } = from.member;
    const former = this.node.ends.get(name);
    const open = former?.hello ?? null;
    if ((open?.epoch ?? 0) > epoch || this.#reservedEpoch(name) > epoch || !this.#hasRoom(name))
      return this.#go(link, from.node, () => from.#end(dial, 'refused', this.member));
    const isInQuestion = open !== null && open.epoch < epoch && (url === null || open.url !== url);
    // The former is asked: it answers, unless it is over, stopped or cut off.
    if (
      isInQuestion &&
      asked &&
      former?.peer.isOpen === true &&
      former.peer.node.isRunning &&
      !link.isBlockedTo(this.node)
    )
      return this.#go(link, from.node, () => from.#end(dial, 'refused', this.member));
    if (isInQuestion && !asked)
      return this.#places.after(RIVAL_TIMEOUT_MS, () => this.node.whenRunning(() => this.#hello(dial, link, true)));
    this.#reservations.add(dial);
    this.#go(link, from.node, () => from.node.whenRunning(() => from.#welcome(dial, this, link)));
  }

  /** @param name who would have the connection; `null`: nobody knows */
  #hasRoom(name: string | null): boolean {
    const { ends, reserved } = this.node;
    if (name !== null && ends.has(name)) return true;
    let taken = ends.size + reserved.size;
    for (const { from } of this.#reservations) if (from.member.name !== name) taken += 1;
    return taken < this.#maxConnections;
  }

  #reservedEpoch(name: string): number {
    let epoch = 0;
    for (const { from } of this.#reservations)
      if (from.member.name === name) epoch = Math.max(epoch, from.member.epoch);
    return epoch;
  }

  /** A dial whose reservation is needed no more is over as far as this side hears of it. */
  #release(dial: Dial): void {
    this.#reservations.delete(dial);
  }

  // The dialler's side.

  #welcome(dial: Dial, acceptor: Dialler, link: Link): void {
    if (dial.isOver) return acceptor.#release(dial);
    const { node, member } = this;
    const peer = acceptor.member;
    const former = node.ends.get(peer.name);
    const formerEpoch = former?.hello?.epoch ?? 0;
    const reservedEpoch = this.#reservedEpoch(peer.name);
    const isRefused = formerEpoch > peer.epoch || reservedEpoch > peer.epoch || !this.#hasRoom(peer.name);
    const isTheirs = reservedEpoch === peer.epoch && peer.name < member.name;
    if (isRefused || formerEpoch === peer.epoch || isTheirs) {
      this.#end(dial, isRefused ? 'refused' : 'duplicate', peer);
      return this.#go(link, acceptor.node, () => acceptor.#release(dial));
    }
    for (const rival of this.#reservations)
      if (rival.from.member.name === peer.name) {
        this.#reservations.delete(rival);
        this.#go(link, rival.from.node, () => rival.from.#end(rival, 'duplicate', member));
      }
    former?.close();
    const [, far] = link.commit(node, { dialler: member, acceptor: peer });
    this.#end(dial, 'connected', peer);
    acceptor.#release(dial);
    if (acceptor.#isOver) far.vanish(acceptor.node.isSilent);
  }

  #end(dial: Dial, outcome: DialEnd['outcome'], peer: Member | null): void {
    if (dial.isOver) return;
    const { url } = dial;
    dial.isOver = true;
    this.#dials.delete(url);
    const end: DialEnd = {
      url,
      outcome,
      peer: peer === null ? null : { name: peer.name, epoch: peer.epoch },
      ...(outcome === 'failed' || outcome === 'refused' ? { error: errorOf(url, outcome) } : {}),
    };
    this.node.whenRunning(() => {
      for (let i = 0; i < dial.times && !this.#isOver; i++) this.#ended(end);
    });
  }
}

function errorOf(url: string, outcome: 'failed' | 'refused'): GossipError {
  return outcome === 'failed'
    ? new GossipError('PEER_UNREACHABLE', `${url} did not answer in time`)
    : new GossipError('NAME_TAKEN', `a later life or no room, at ${url}`);
}
