/**
 * The failure detector: asks, has others ask, and suspects who does not answer.
 *
 * Invariants
 *  1. Nobody is suspected before it was asked here, and others were asked to ask, for a whole `probeInterval`, stretched by
 *     this node's own health; or all that were asked live and say that it does not answer them either.
 *  2. A closed connection, and a dial in vain, start a probe at once. Neither is a verdict.
 *  3. Time in which this process stood still counts for no deadline.
 *
 * Rule of SWIM: a probe goes to a random member of the whole list. Ours in a large cluster: to one of those with whom this
 * node is connected, in shuffled rounds, so that no probe costs a dial; who chooses whom changes, and everybody is chosen
 * (neighbours.ts, ADR 10).
 *
 * Source: SWIM, sections 3.1 and 4.3; Lifeguard, section IV.
 */

import { below, type Random, sample } from '../../random.ts';
import type { Awareness } from './awareness.ts';
import type { Knowledge } from './knowledge.ts';
import {
  ACK,
  type Ack,
  ASK,
  type Ask,
  NACK,
  type Nack,
  PING,
  type Ping,
  type SwimMessage,
  type SwimRecord,
} from './messages.ts';
import type { SwimOptions } from './options.ts';
import { type Probe, Probes } from './probes.ts';
import type { Clocks, Status } from './roster.ts';

export interface DetectorDetails {
  readonly options: SwimOptions;
  readonly knowledge: Knowledge;
  readonly awareness: Awareness;
  readonly random: Random;
  /** Whether there is a connection. */
  readonly isTied: (name: string) => boolean;
  /** Whether it hears everything beside what is said here. */
  readonly isDependent: (name: string) => boolean;
  /** Those with whom there is one. */
  readonly tied: () => Iterable<string>;
  /** Dials a member, if that can be now. @returns false where it cannot */
  readonly dial: (status: Status, clocks: Clocks) => boolean;
  readonly send: (to: string | readonly string[], message: SwimMessage) => void;
}

/** After which share of the timeout a helper says that it has heard nothing: before its asker has given up. */
const NACK_SHARE = 0.8;
/** For how long an answer that was passed on stands for the next question about the same node, in milliseconds. */
const ANSWERED_MS = 100;
/** How long those that only dial may take to dial another node, or the same again, in milliseconds: twice their longest pause. */
const REDIAL_MS = 10_000;

export class Detector {
  readonly #details: DetectorDetails;
  readonly #open = new Probes();
  /** The members of this round that are still to be asked, last first. */
  #round: string[] = [];
  /** Those that only dial and that perhaps nobody can ask any more, by name, as they were when that came to be possible. */
  readonly #doubted = new Map<string, Status>();
  /** When there are more of those, on the clock that stands still while this process does. */
  #doubtMs = Infinity;

  constructor(details: DetectorDetails) {
    this.#details = details;
  }

  dueMs(): number {
    return this.#open.dueMs();
  }

  /** Somebody new may be asked in this round already, at any place in it. */
  join(name: string): void {
    if (this.#round.includes(name)) return;
    this.#round.splice(below(this.#details.random, this.#round.length + 1), 0, name);
  }

  /**
   * Probes the next of the round. Whoever only dials, and has not dialled this node, is asked by those whom it has dialled, and
   * by others only where it is doubted.
   * @param everybody whether those without a connection are asked too, where they can be dialled
   */
  next(everybody: boolean, clocks: Clocks): void {
    const { knowledge, isTied, tied, random } = this.#details;
    const canAsk = (name: string): boolean =>
      isTied(name) || (everybody && knowledge.roster.get(name)?.status.url !== null);
    for (let rounds = 0; rounds < 2; rounds++) {
      for (let name = this.#round.pop(); name !== undefined; name = this.#round.pop())
        if (knowledge.roster.isThere(name) && canAsk(name) && !this.#open.isOpen(name)) return this.probe(name, clocks);
      const names = everybody ? knowledge.roster.statuses().map((status) => status.name) : [...tied()];
      this.#round = sample(random, names, names.length);
    }
  }

  /**
   * A node that can be dialled has gone, or is back. Whoever only dials may have gone with it, or meanwhile, and nobody would
   * have noticed. Those that live have time to dial another node; then others are asked about each that this node cannot ask.
   */
  doubt({ awakeMs }: Clocks): void {
    this.#doubtMs = awakeMs + REDIAL_MS;
  }

  /** Has others asked about one of those, unless it has said something since. */
  nextDoubted(clocks: Clocks): void {
    const { knowledge, isTied, tied, random } = this.#details;
    const { roster } = knowledge;
    if (clocks.awakeMs >= this.#doubtMs) {
      this.#doubtMs = Infinity;
      for (const status of roster.statuses()) if (status.url === null) this.#doubted.set(status.name, status);
    }
    // Of a node that is cut off others think as it does of them.
    if (this.#doubted.size === 0 || [...tied()].length === 0) return;
    for (const name of sample(random, [...this.#doubted.keys()], this.#doubted.size)) {
      const { epoch, incarnation } = this.#doubted.get(name) as Status;
      const status = roster.get(name)?.status;
      this.#doubted.delete(name);
      const isTheSame = status?.epoch === epoch && status.incarnation === incarnation;
      if (isTheSame && roster.isThere(name) && !isTied(name)) return this.probe(name, clocks);
    }
  }

  /** Asks one member now, unless it is being asked. */
  probe(name: string, clocks: Clocks): void {
    const { knowledge, isTied, dial } = this.#details;
    const entry = knowledge.roster.get(name);
    if (entry === undefined || !knowledge.roster.isThere(name) || this.#open.isOpen(name)) return;
    const probe = this.#begin(entry.status, clocks);
    if (isTied(name)) this.#ping(name, probe.sequence);
    else if (dial(entry.status, clocks)) probe.stage = 'dial';
    else this.#askOthers(probe, clocks);
  }

  /** There is a connection with this node: what waited for it is asked. */
  tied(name: string): void {
    const { probes, relays } = this.#open;
    for (const question of [...probes.values(), ...relays.values()]) {
      if (question.name !== name || question.stage !== 'dial') continue;
      question.stage = 'direct';
      // Nobody waits for this answer any more.
      if ('asker' in question && question.deadlineMs === Infinity) this.#open.closeRelay(question);
      else this.#ping(name, question.sequence);
    }
  }

  /**
   * A dial of this member came to nothing: others are asked, at once. Unless it was made on behalf of others, who are told
   * and judge for themselves: were a helper to ask helpers of its own, one crash would set everybody asking everybody.
   */
  unreachable(name: string, clocks: Clocks): void {
    const { roster } = this.#details.knowledge;
    const entry = roster.get(name);
    let isOurs = true;
    for (const relay of this.#open.relays.values())
      if (relay.name === name && relay.stage === 'dial') {
        isOurs = false;
        // Infinity: it has been told.
        if (relay.nackMs !== Infinity) this.#details.send(relay.asker, [NACK, relay.askerSequence]);
        this.#open.closeRelay(relay);
      }
    if (isOurs && entry !== undefined && roster.isThere(name) && !this.#open.isOpen(name))
      this.#begin(entry.status, clocks).stage = 'dial';
    for (const probe of this.#open.probes.values())
      if (probe.name === name && probe.stage === 'dial') this.#askOthers(probe, clocks);
  }

  /** This member is gone, or another: it need not be asked. */
  drop(name: string): void {
    this.#open.drop(name);
  }

  pinged(from: string, [, sequence]: Ping): void {
    this.#details.send(from, [ACK, sequence, this.#newsFor(from)]);
  }

  asked(from: string, [, askerSequence, name]: Ask, clocks: Clocks): void {
    const { awakeMs } = clocks;
    const { knowledge, options, isTied, dial, send } = this.#details;
    const entry = knowledge.roster.get(name);
    const nackMs = awakeMs + NACK_SHARE * options.probeTimeout;
    const deadlineMs = awakeMs + options.probeInterval;
    const former = this.#open.relayOf(from, name);
    if (former !== undefined) {
      // It has just answered, or is being asked: an asker that asks on and on has nobody asked more often for it.
      if (former.stage === 'answered') return send(from, [ACK, askerSequence, []]);
      former.askerSequence = askerSequence;
      former.nackMs = nackMs;
      former.deadlineMs = deadlineMs;
      if (former.stage === 'dial' || awakeMs < former.askedMs + options.probeTimeout) return;
      former.askedMs = awakeMs;
      return this.#ping(name, former.sequence);
    }
    const relay =
      entry === undefined
        ? undefined
        : this.#open.relay({ name, asker: from, askerSequence, askedMs: awakeMs, nackMs, deadlineMs });
    if (entry === undefined || relay === undefined) {
      send(from, [NACK, askerSequence]);
      return;
    }
    if (isTied(name)) return this.#ping(name, relay.sequence);
    if (dial(entry.status, clocks)) relay.stage = 'dial';
    else {
      this.#open.closeRelay(relay);
      send(from, [NACK, askerSequence]);
    }
  }

  acked(from: string, [, sequence]: Ack, { awakeMs }: Clocks): void {
    const { awareness, send } = this.#details;
    const probe = this.#open.probes.get(sequence);
    if (probe !== undefined && (from === probe.name || probe.asked > 0)) {
      this.#open.close(probe);
      awareness.count(-1);
      return;
    }
    const relay = this.#open.relays.get(sequence);
    if (relay === undefined || from !== relay.name || relay.stage === 'answered') return;
    relay.stage = 'answered';
    relay.nackMs = Infinity;
    relay.deadlineMs = awakeMs + ANSWERED_MS;
    send(relay.asker, [ACK, relay.askerSequence, []]);
  }

  nacked(from: string, [, sequence]: Nack, clocks: Clocks): void {
    const probe = this.#open.probes.get(sequence);
    if (probe === undefined || probe.stage !== 'indirect') return;
    probe.nacks.add(from);
    if (probe.nacks.size >= probe.asked) this.#fail(probe, clocks);
  }

  /** Does what is due. */
  run(clocks: Clocks): void {
    const { awakeMs } = clocks;
    for (const probe of this.#open.probes.values()) {
      if (probe.stage !== 'indirect' && awakeMs >= probe.directMs) this.#askOthers(probe, clocks);
      if (awakeMs >= probe.deadlineMs) this.#fail(probe, clocks);
    }
    for (const relay of this.#open.relays.values()) {
      if (awakeMs >= relay.nackMs) {
        relay.nackMs = Infinity;
        this.#details.send(relay.asker, [NACK, relay.askerSequence]);
      }
      if (awakeMs < relay.deadlineMs) continue;
      // Its dial goes on, and is not to be taken for one of our own when it fails.
      if (relay.stage === 'dial') relay.deadlineMs = Infinity;
      else this.#open.closeRelay(relay);
    }
  }

  #begin({ name, epoch }: Status, { awakeMs }: Clocks): Probe {
    const { awareness, options } = this.#details;
    const directMs = awakeMs + awareness.stretch(options.probeTimeout);
    return this.#open.open(name, epoch, directMs, awakeMs + awareness.stretch(options.probeInterval));
  }

  #ping(name: string, sequence: number): void {
    this.#details.send(name, [PING, sequence, this.#newsFor(name)]);
  }

  #newsFor(name: string): SwimRecord[] {
    const { knowledge, isDependent } = this.#details;
    return knowledge.news(1, name, isDependent(name));
  }

  #askOthers(probe: Probe, clocks: Clocks): void {
    const { knowledge, options, tied, random, send } = this.#details;
    probe.stage = 'indirect';
    // Where this comes late, those who are asked have their time all the same.
    probe.deadlineMs = Math.max(probe.deadlineMs, clocks.awakeMs + probe.deadlineMs - probe.directMs);
    const { roster } = knowledge;
    const helpers = [...tied()].filter((name) => name !== probe.name && roster.get(name)?.status.state === 'alive');
    const asked = sample(random, helpers, options.indirectProbes);
    probe.asked = asked.length;
    if (asked.length > 0) send(asked, [ASK, probe.sequence, probe.name]);
  }

  #fail(probe: Probe, clocks: Clocks): void {
    const { knowledge, awareness } = this.#details;
    if (!this.#open.probes.has(probe.sequence)) return;
    this.#open.close(probe);
    // Helpers that say nothing at all speak against us rather than against whom they were to ask.
    awareness.count(probe.asked > 0 ? probe.asked - probe.nacks.size : 1);
    const entry = knowledge.roster.get(probe.name);
    if (entry?.status.epoch === probe.epoch) knowledge.suspect(entry.status, clocks);
  }
}
