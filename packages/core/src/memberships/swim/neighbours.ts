/**
 * Neighbours: with whom a node keeps a connection.
 *
 * In a small cluster, with everybody. In a large one each node keeps connections to a few of its own choice, and is chosen
 * by about as many: a random graph, over which news reaches everybody in a logarithmic number of steps. The oldest choice
 * gives way to a new one now and then, so that the graph changes and everybody is met in time.
 *
 * Invariants
 *  1. Only who dialled lets a connection go, and never one of its own choice: a node's choice is nobody else's to undo, but
 *     where there is no room.
 *  2. Who cannot be dialled is tried ever more seldom, and so is who can be and whose connections do not last: only one that
 *     lasted `USEFUL_MS` starts the pauses anew.
 *  3. A probe dials in spite of these pauses, since a pause longer than the timeout of a suspicion would declare the living dead.
 *     From the second connection on that did not last, it waits for `FIRST_MS`.
 *
 * Source: ADR 10. Random graphs for membership: Ganesh, Kermarrec, Massoulié, "Peer-to-Peer Membership Management for
 * Gossip-Based Protocols", 2003; Jelasity et al., "Gossip-based Peer Sampling", 2007.
 */

/** A connection; times on the clock that stands still while this process does. */
export interface Tie {
  readonly epoch: number;
  /** Whether we dialled. */
  ours: boolean;
  readonly sinceMs: number;
}

interface Failure {
  readonly times: number;
  readonly untilMs: number;
  /** Until when not even a probe dials. */
  readonly pausedUntilMs: number;
}

/** How long a connection that nobody chose is kept at least, in milliseconds: what it was made for is over by then. */
const IDLE_MS = 10_000;
/** How long one is kept at least where there is no room, in milliseconds. */
const CROWDED_MS = 2000;
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;
/** How long a connection must have lasted for its end to be met by a dial at once, in milliseconds. */
const USEFUL_MS = 5000;

export class Neighbours {
  /** Connections by the peer's name. */
  readonly ties: Map<string, Tie> = new Map<string, Tie>();
  /** The oldest first. */
  readonly #chosen = new Set<string>();
  readonly #failures = new Map<string, Failure>();
  readonly #most: number;
  readonly #room: number;

  /**
   * @param most so many are chosen
   * @param room with more connections than so many, those that were not chosen are let go, whoever dialled
   */
  constructor(most: number, room: number = Infinity) {
    this.#most = most;
    this.#room = room;
  }

  /** In a cluster of so many others everybody is connected with everybody. */
  isMesh(others: number): boolean {
    return others <= 2 * this.#most;
  }

  /** How many more are to be chosen. */
  get wanting(): number {
    return this.#most - this.#chosen.size;
  }

  choose(name: string): void {
    this.#chosen.add(name);
  }

  /** It is gone, or could not be dialled. */
  unchoose(name: string): void {
    this.#chosen.delete(name);
  }

  /** Gives up the oldest choice where there are too many. */
  trim(): void {
    for (const name of this.#chosen) {
      if (this.#chosen.size <= this.#most) return;
      this.#chosen.delete(name);
    }
  }

  /** A connection counts from now on. */
  tie(name: string, epoch: number, nowMs: number): void {
    this.ties.set(name, { epoch, ours: false, sinceMs: nowMs });
    // It was left to the other side to dial, and it has.
    if (this.#failures.get(name)?.times === 0) this.forgive(name);
  }

  /**
   * A connection is over.
   * @param released whether one side said that it needs it no more
   * @returns whether it counted
   */
  untie(name: string, released: boolean, nowMs: number): boolean {
    const tie = this.ties.get(name);
    if (tie === undefined) return false;
    this.ties.delete(name);
    if (nowMs - tie.sinceMs >= USEFUL_MS) this.forgive(name);
    else if (!released) this.#ended(name, nowMs);
    return true;
  }

  /** Whether it may be dialled by now. */
  isDue(name: string, nowMs: number): boolean {
    return nowMs >= (this.#failures.get(name)?.untilMs ?? 0);
  }

  /** Whether its last connections ended so soon that not even a probe dials it by now. */
  isPaused(name: string, nowMs: number): boolean {
    return nowMs < (this.#failures.get(name)?.pausedUntilMs ?? 0);
  }

  /** Leaves it to the other side to dial, for a while. @returns false where that has been done */
  putOff(name: string, untilMs: number): boolean {
    if (this.#failures.has(name)) return false;
    this.#failures.set(name, { times: 0, untilMs, pausedUntilMs: 0 });
    return true;
  }

  /** A dial was in vain. */
  failed(name: string, nowMs: number): void {
    this.#fail(name, nowMs, 0);
  }

  /** It is gone, or another, or was connected for a while. */
  forgive(name: string): void {
    this.#failures.delete(name);
  }

  /** A connection of ours that nobody needs any more, the oldest. */
  idle(nowMs: number): string | undefined {
    let found: string | undefined;
    let sinceMs = nowMs - IDLE_MS;
    for (const [name, tie] of this.ties) {
      if (!tie.ours || tie.sinceMs > sinceMs || this.#chosen.has(name)) continue;
      found = name;
      sinceMs = tie.sinceMs;
    }
    return found;
  }

  /**
   * Connections that have to make room for newcomers, the oldest first: who is full tells nobody whom else there is. Those
   * have had the time to compare; whose choice one was chooses another.
   */
  crowding(nowMs: number): string[] {
    const names: string[] = [];
    for (const [name, { sinceMs }] of this.ties) {
      if (this.ties.size - names.length <= this.#room) break;
      if (!this.#chosen.has(name) && sinceMs <= nowMs - CROWDED_MS) names.push(name);
    }
    return names;
  }

  /** Ours that nobody chose so far. */
  *spare(): IterableIterator<string> {
    for (const [name, { ours }] of this.ties) if (ours && !this.#chosen.has(name)) yield name;
  }

  /** A connection did not last. */
  #ended(name: string, nowMs: number): void {
    const isFirst = (this.#failures.get(name)?.times ?? 0) === 0;
    this.#fail(name, nowMs, isFirst ? 0 : nowMs + FIRST_MS);
  }

  #fail(name: string, nowMs: number, pausedUntilMs: number): void {
    const times = this.#failures.get(name)?.times ?? 0;
    const untilMs = nowMs + Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(times, 30));
    this.#failures.set(name, { times: times + 1, untilMs, pausedUntilMs });
  }
}
