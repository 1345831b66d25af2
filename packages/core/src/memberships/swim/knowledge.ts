/**
 * Knowledge: what this node believes of all, what it says of itself, and what it passes on.
 *
 * Invariants
 *  1. Only this node speaks for itself: whatever is said of it that is not so, it answers with a higher incarnation.
 *  2. Whatever changes a belief is passed on; what changes nothing is not.
 *  3. A published status is never changed, but replaced.
 *  4. Of two nodes of one name each hears that there is the other: the lower epoch is another node's, and where both have one
 *     epoch, neither keeps it.
 *
 * Source: SWIM, sections 4.1 and 4.2.
 */

import { GossipError } from '../../errors.ts';
import type { Sum } from '../../hash.ts';
import { isThere, type Member, type Meta } from '../../membership.ts';
import { EPOCH_LIMIT } from '../../origin.ts';
import { Broadcasts, retransmitLimit } from './broadcasts.ts';
import { MAX_ACCUSERS, MAX_RECORDS, type SwimRecord } from './messages.ts';
import { sameMeta } from './meta.ts';
import type { SwimOptions } from './options.ts';
import { addMember, aliveRecord, type Clocks, recordOf, Roster, type Status } from './roster.ts';
import { type SuspicionTimes, suspicionTimes } from './suspicion.ts';

/** What follows from what was learnt. */
export interface KnowledgeEvents {
  /** Somebody is there who was not, or is another than before, of whom `former` was believed. */
  appeared(status: Status, former: Status | undefined): void;
  /** Somebody is there no more. */
  vanished(status: Status): void;
  /** Something is said of this node that is not so, by this peer: it has been refuted, and those shall hear so first. */
  accused(by: readonly string[], wasSuspected: boolean): void;
  /** A later life of this node than this is remembered, and over; or another node has the epoch of this one. */
  outlived(epoch: number): void;
  /** Somebody is alive by this record, under an epoch that was not known. */
  lives(record: SwimRecord): void;
  /** Somebody has, by this record, the epoch of a known member and another address. */
  doubled(record: SwimRecord): void;
  report(error: GossipError): void;
}

const SUSPECT = 1;
const DOWN = 2;
const LEFT = 3;

export class Knowledge {
  readonly roster: Roster = new Roster();
  readonly broadcasts: Broadcasts = new Broadcasts();
  /** Counts the changes of what is published. */
  version = 0;
  readonly #options: SwimOptions;
  readonly #events: KnowledgeEvents;
  readonly #self: Member;
  #meta: Meta;
  /** 0 is what others know of a node by a connection alone. */
  #incarnation = 1;
  #hasLeft = false;
  /** The latest lives of this name that were taken for over, and for those of another node. */
  #outlivedEpoch: number;
  #reportedEpoch: number;
  /** Whether another node was heard of under the epoch of this one. */
  #hasTwin = false;
  /** No suspect's time is over before, on the clock that stands still while this process does. */
  #judgeMs = Infinity;

  constructor(self: Member, options: SwimOptions, events: KnowledgeEvents) {
    this.#self = self;
    this.#meta = options.meta;
    this.#options = options;
    this.#events = events;
    this.#outlivedEpoch = self.epoch;
    this.#reportedEpoch = self.epoch;
    this.broadcasts.add(self.name);
  }

  /** How many there are, this node included. */
  get nodes(): number {
    return this.roster.there + 1;
  }

  /**
   * How long this node has to refute, once it is suspect. Only those whom it has dialled can ask a node that only dials:
   * others do not confirm a suspicion of it, and nobody waits for them.
   */
  #timesOf([, , , , url]: SwimRecord): SuspicionTimes {
    const times = suspicionTimes(this.#options, this.nodes);
    return url === null ? { ...times, wanted: 0 } : times;
  }

  /** The hash of all who are there, this node included. */
  get sum(): Sum {
    const sum = this.roster.sum.slice();
    addMember(sum, { ...this.#self, incarnation: this.#incarnation }, 1);
    return sum;
  }

  /** What this node says of itself. */
  get ownRecord(): SwimRecord {
    const record = aliveRecord({ ...this.#self, meta: this.#meta }, this.#incarnation);
    return this.#hasLeft ? [record[0], record[1], record[2], LEFT, record[4], record[5], []] : record;
  }

  /** All that is known, this node first. */
  all(): SwimRecord[] {
    const records = [this.ownRecord];
    for (const entry of this.roster.entries()) if (records.length < MAX_RECORDS) records.push(recordOf(entry));
    return records;
  }

  /**
   * News for a message that goes to so many: about itself first, where the receiver is suspect, or down and yet there.
   * @param to the receiver, where it is one
   * @param dependent whether that hears everything beside this
   */
  news(receivers: number, to?: string, dependent: boolean = false): SwimRecord[] {
    const { name: ownName } = this.#self;
    const records: SwimRecord[] = [];
    const concerned = to === undefined || !this.#options.tellSuspects ? undefined : this.roster.get(to);
    const state = concerned?.status.state;
    if (concerned !== undefined && (state === 'suspect' || state === 'down')) records.push(recordOf(concerned));
    if (dependent) return records;
    for (const name of this.broadcasts.take(retransmitLimit(this.#options.retransmitMult, this.nodes), receivers)) {
      const entry = this.roster.get(name);
      if (name === ownName) records.push(this.ownRecord);
      else if (entry !== undefined && (name !== to || records.length === 0)) records.push(recordOf(entry));
    }
    return records;
  }

  /** News that all dependents shall hear now. */
  servings(): SwimRecord[] {
    const records: SwimRecord[] = [];
    for (const name of this.broadcasts.serve()) {
      const entry = this.roster.get(name);
      if (name === this.#self.name) records.push(this.ownRecord);
      else if (entry !== undefined) records.push(recordOf(entry));
    }
    return records;
  }

  /** Takes a report that came from a peer as news. */
  learn(record: SwimRecord, from: string, clocks: Clocks): void {
    if (record[0] === this.#self.name) this.#hearOfSelf(record, from);
    else this.#take(record, clocks);
  }

  /**
   * Takes all that a peer believes. Whom it believes down may have been cut off from it alone: where that is news, it
   * accuses, and the accused may refute. Else the two halves of a healed partition would bury each other's living.
   */
  compare(records: readonly SwimRecord[], from: string, clocks: Clocks): void {
    for (const record of records) {
      const [name, epoch, incarnation, state, url, meta] = record;
      const isHearsay = state === DOWN && this.roster.isThere(name);
      this.learn(isHearsay ? [name, epoch, incarnation, SUSPECT, url, meta, [from]] : record, from, clocks);
    }
  }

  /** A connection says that somebody lives: what a hello bears, and no more. */
  meet({ name, epoch, url }: Member, clocks: Clocks): void {
    const entry = this.roster.get(name);
    if (entry?.status.epoch === epoch) {
      if (entry.status.url !== url) this.#events.doubled(recordOf(entry));
      return;
    }
    this.#take(aliveRecord({ name, epoch, url }, 0), clocks);
  }

  /** This node suspects somebody. */
  suspect({ name, epoch, incarnation, url, meta }: Status, clocks: Clocks): void {
    this.#take([name, epoch, incarnation, SUSPECT, url, meta, [this.#self.name]], clocks);
  }

  /** Declares down whose time to refute is over. Looks at all suspects only when one may be: it is called with every input. */
  judge(clocks: Clocks): void {
    if (this.#judgeMs > clocks.awakeMs) return;
    this.#judgeMs = Infinity;
    for (const name of this.roster.suspects) {
      const entry = this.roster.get(name);
      const deadlineMs = entry?.suspicion?.deadlineMs ?? Infinity;
      if (entry === undefined || deadlineMs > clocks.awakeMs) {
        this.#judgeMs = Math.min(this.#judgeMs, deadlineMs);
        continue;
      }
      const { epoch, incarnation, url, meta } = entry.status;
      this.#take([name, epoch, incarnation, DOWN, url, meta, []], clocks);
    }
  }

  /** When the next suspect's time may be over. */
  judgeMs(): number {
    return this.roster.suspects.size === 0 ? Infinity : this.#judgeMs;
  }

  #awaitJudgement(name: string): void {
    const deadlineMs = this.roster.get(name)?.suspicion?.deadlineMs;
    if (deadlineMs !== undefined) this.#judgeMs = Math.min(this.#judgeMs, deadlineMs);
  }

  /** What a node that bears this name now is to hear of its later life, of which nothing was found. */
  lateRecord(name: string): SwimRecord {
    const { status } = this.roster.get(name) as { readonly status: Status };
    return [name, status.epoch, status.incarnation, status.state === 'left' ? LEFT : DOWN, status.url, status.meta, []];
  }

  describe(meta: Meta): void {
    if (sameMeta(meta, this.#meta)) return;
    this.#meta = meta;
    this.#assert(this.#incarnation + 1);
  }

  leave(): void {
    this.#hasLeft = true;
  }

  /** A former machine of this process has spoken for this node, nobody knows what: what this one says counts more. */
  outbid(incarnation: number): void {
    this.#assert(Math.max(this.#incarnation, incarnation));
  }

  /** Takes up what a former machine of this process believed. */
  inherit(statuses: readonly Status[], clocks: Clocks): void {
    // How long suspects have depends on how many there are.
    const times = suspicionTimes(this.#options, statuses.filter(isThere).length + 1);
    for (const status of statuses) {
      this.roster.inherit(status, times, clocks);
      this.#awaitJudgement(status.name);
    }
    this.version += 1;
  }

  #take(record: SwimRecord, clocks: Clocks): void {
    const { roster } = this;
    const name = record[0];
    const before = roster.get(name)?.status;
    if (before?.epoch === record[1] && before.url !== record[4]) this.#events.doubled(record);
    const outcome = roster.take(record, this.#timesOf(record), clocks);
    if (outcome === 'old') return;
    this.#awaitJudgement(name);
    this.broadcasts.add(name);
    if (outcome === 'confirmed') return;
    this.version += 1;
    const { status } = roster.get(name) as { readonly status: Status };
    if (status.state === 'alive' && before?.epoch !== status.epoch) this.#events.lives(record);
    const wasThere = before !== undefined && isThere(before);
    if (isThere(status) && (!wasThere || outcome === 'reborn')) this.#events.appeared(status, before);
    else if (!isThere(status) && (wasThere || before?.state !== status.state)) this.#events.vanished(status);
  }

  #hearOfSelf([, epoch, incarnation, state, url, meta, accusers]: SwimRecord, from: string): void {
    const self = this.#self;
    if (epoch > self.epoch) return this.#hearOfLater(epoch, state, url);
    if (this.#hasLeft) return;
    if (epoch < self.epoch) {
      // They speak of a former life.
      this.broadcasts.add(self.name);
      return;
    }
    if (url !== self.url) return this.#hearOfTwin(url);
    const isTrue = state === 0 && sameMeta(meta, this.#meta);
    if (isTrue) {
      // A former machine of this process said so. With it, all that we have said so far is old.
      if (incarnation > this.#incarnation) this.#assert(incarnation);
      return;
    }
    if (incarnation < this.#incarnation) {
      // What it says of us is over: an accuser who has not heard so hears it now. The rest is old news on its way.
      if (state === SUSPECT || state === DOWN) this.#events.accused([from], false);
      return;
    }
    // A node that has left is gone for good, under this epoch.
    if (state === LEFT) return;
    this.#assert(incarnation + 1);
    if (state === SUSPECT || state === DOWN)
      this.#events.accused([...new Set([from, ...accusers.slice(0, MAX_ACCUSERS)])], true);
  }

  #assert(incarnation: number): void {
    // What is beyond would be no number that a peer accepts.
    this.#incarnation = Math.min(incarnation, Number.MAX_SAFE_INTEGER);
    this.broadcasts.add(this.#self.name);
  }

  /**
   * Of a life of this name that began later than this one: it is over, it was here, or it is another node. What looks like
   * another node may yet turn out to be over: whoever was not yet told of its end says so of a former self, too.
   */
  #hearOfLater(epoch: number, state: number, url: string | null): void {
    // It cannot be outlived: it is made up.
    if (epoch >= EPOCH_LIMIT) return;
    if (state === DOWN || state === LEFT || url === this.#self.url) {
      if (epoch <= this.#outlivedEpoch) return;
      this.#outlivedEpoch = epoch;
      return this.#events.outlived(epoch);
    }
    if (epoch <= this.#reportedEpoch) return;
    this.#reportedEpoch = epoch;
    this.#reportOther(epoch, url, 'others have taken it for this one started anew');
  }

  /** Of a node at another place, under the name and epoch of this one. */
  #hearOfTwin(url: string | null): void {
    if (this.#hasTwin) return;
    this.#hasTwin = true;
    const { epoch } = this.#self;
    this.#reportOther(epoch, url, 'has the same epoch, so this one takes another');
    this.#events.outlived(epoch);
  }

  #reportOther(epoch: number, url: string | null, what: string): void {
    const { name } = this.#self;
    this.#events.report(
      new GossipError(
        'NAME_TAKEN',
        `Another node bears the name '${name}' (at ${url ?? 'an unknown address'}), and ${what}: give each its own name.`,
        { context: { name, url, epoch } },
      ),
    );
  }
}
