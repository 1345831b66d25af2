/**
 * The roster: what is believed of every node, and which of two reports about it counts.
 *
 * Invariants
 *  1. Reports are totally ordered: a newer epoch beats all that was said of an older one; within one epoch the higher
 *     incarnation counts, and of one incarnation `alive` less than `suspect` less than `down`; `left` is final.
 *  2. Departure from SWIM, where `down` is final too: whoever is down and lives says so with a higher incarnation, and is
 *     back (as in memberlist). Else a partition that heals would need every node to be started anew.
 *  3. Who is down or has left, and was not known before, is not taken up: hearsay about the dead makes no member.
 *  4. The sum covers those who are there, by name, epoch and incarnation. Equal sums, equal views, but for suspicions.
 *  5. At most `MAX_GONE` nodes that are gone are kept, the latest; and no more than `MAX_MEMBERS` are known at all, whatever
 *     peers make up.
 *
 * Source: SWIM, section 4.2; memberlist, state.go.
 */

import { addTerm, emptySum, hashDot, seedsOf, type Sum } from '../../hash.ts';
import { isThere, type Member, type MemberState, type MemberStatus } from '../../membership.ts';
import { states, type SwimRecord } from './messages.ts';
import { Suspicion, type SuspicionTimes } from './suspicion.ts';

export const MAX_GONE = 1000;
export const MAX_MEMBERS = 10_000;

/** A member with nothing left out. */
export type Status = Required<MemberStatus>;

export interface Entry {
  /** Never changed, but replaced. */
  status: Status;
  /** While it is suspect. */
  suspicion: Suspicion | null;
}

/** What a report changed: nothing, who accuses, what is believed, or even who it is. */
export type Outcome = 'old' | 'confirmed' | 'changed' | 'reborn';

export interface Clocks {
  /** That never runs back. */
  readonly nowMs: number;
  /** The same, but standing still while this process does: what suspicion is counted on. */
  readonly awakeMs: number;
}

export class Roster {
  readonly sum: Sum = emptySum();
  /** The names of those who are suspect. */
  readonly suspects: Set<string> = new Set<string>();
  readonly #entries = new Map<string, Entry>();
  #there = 0;
  #gone = 0;

  /** How many are there, without this node. */
  get there(): number {
    return this.#there;
  }

  get(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  isThere(name: string): boolean {
    const entry = this.#entries.get(name);
    return entry !== undefined && isThere(entry.status);
  }

  entries(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  statuses(): Status[] {
    return Array.from(this.#entries.values(), ({ status }) => status);
  }

  /** Takes a report for what it is worth. */
  take(record: SwimRecord, times: SuspicionTimes, clocks: Clocks): Outcome {
    const [name, epoch, incarnation, , url, meta, accusers] = record;
    const state = states[record[3]] as MemberState;
    const entry = this.#entries.get(name);
    const report: Status = { name, epoch, url, meta, state, incarnation, sinceMs: clocks.nowMs };
    if (entry === undefined) {
      if (!isThere(report) || this.#entries.size >= MAX_MEMBERS) return 'old';
      this.#put(report, accusers, times, clocks);
      return 'reborn';
    }
    const { status } = entry;
    if (epoch < status.epoch) return 'old';
    if (epoch > status.epoch) {
      this.#put(report, accusers, times, clocks);
      return 'reborn';
    }
    if (beats(report, status)) {
      // What was told before of the same state is no change but of what the node says of itself.
      const sinceMs = state === status.state ? status.sinceMs : clocks.nowMs;
      this.#put({ ...report, sinceMs }, accusers, times, clocks);
      return 'changed';
    }
    const confirms = state === 'suspect' && status.state === 'suspect' && incarnation === status.incarnation;
    return confirms && entry.suspicion?.confirm(accusers) === true ? 'confirmed' : 'old';
  }

  /** Takes up what is believed already, as it is. */
  inherit(status: Status, times: SuspicionTimes, clocks: Clocks): void {
    this.#put(status, [], times, clocks);
  }

  /** Drops who has been gone since before `beforeMs`. @returns those dropped */
  forget(beforeMs: number): Status[] {
    const forgotten: Status[] = [];
    let surplus = this.#gone - MAX_GONE;
    if (this.#gone === 0) return forgotten;
    // Those who are gone stand in order of their going.
    for (const { status } of this.#entries.values()) {
      if (isThere(status) || (status.sinceMs >= beforeMs && surplus <= 0)) continue;
      surplus -= 1;
      this.#gone -= 1;
      this.#entries.delete(status.name);
      forgotten.push(status);
    }
    return forgotten;
  }

  #put(status: Status, accusers: readonly string[], times: SuspicionTimes, { awakeMs }: Clocks): void {
    const { name } = status;
    const before = this.#entries.get(name);
    if (before !== undefined) this.#count(before.status, -1);
    // Behind all others, if it goes.
    if (!isThere(status)) this.#entries.delete(name);
    const suspicion = status.state === 'suspect' ? new Suspicion(times, accusers, awakeMs) : null;
    this.#entries.set(name, { status, suspicion });
    if (suspicion === null) this.suspects.delete(name);
    else this.suspects.add(name);
    this.#count(status, 1);
  }

  #count(status: Status, by: 1 | -1): void {
    if (!isThere(status)) {
      this.#gone += by;
      return;
    }
    this.#there += by;
    addMember(this.sum, status, by);
  }
}

/** Adds what one node that is there contributes to the sum, or takes it out. */
export function addMember(
  sum: Sum,
  { name, epoch, incarnation }: Pick<Status, 'name' | 'epoch' | 'incarnation'>,
  by: 1 | -1,
): void {
  addTerm(sum, 0, hashDot(seedsOf(name, epoch), incarnation), by);
}

export function recordOf({ status, suspicion }: Entry): SwimRecord {
  const { name, epoch, incarnation, state, url, meta } = status;
  return [name, epoch, incarnation, states.indexOf(state), url, meta, suspicion?.accusers ?? []];
}

export function aliveRecord({ name, epoch, url, meta = {} }: Member, incarnation: number): SwimRecord {
  return [name, epoch, incarnation, 0, url, meta, []];
}

/** Whether a report about the same epoch counts more than what is believed. */
function beats(report: Status, status: Status): boolean {
  if ((status.state === 'left') !== (report.state === 'left')) return report.state === 'left';
  const newer = report.incarnation - status.incarnation;
  return newer > 0 || (newer === 0 && states.indexOf(report.state) > states.indexOf(status.state));
}
