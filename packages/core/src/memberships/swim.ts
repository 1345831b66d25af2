/**
 * SWIM with Lifeguard: who is there, found out by asking one another, and told by way of gossip.
 *
 * A node asks one other after the other whether it lives; who does not answer, not even to others who ask on its behalf, is
 * suspect, and down when it has not refuted in time. News rides on these questions and answers, and on gossip of its own
 * while there is some; now and then two compare all that they know, by a hash where that is the same.
 *
 * Invariants
 *  1. Deadlines are counted on a clock that stands still while this process does: who was stopped accuses nobody.
 *  2. A closed connection is a hint that starts a probe, never a verdict.
 *  3. Without news, one question and one answer a `probeInterval` are all that is said, however large the cluster is.
 *  4. After `leave` nothing more is said.
 *  5. A member is published with what it says of itself, unless it says nothing.
 *
 * Source: SWIM and Lifeguard, as cited in `swim/`; departures in ADR 10 and in `swim/roster.ts`, `swim/detector.ts`.
 */

import { AgedMap } from '../aged-map.ts';
import { LANES, sameSum } from '../hash.ts';
import {
  type DialEnd,
  type Discovery,
  isThere,
  type Member,
  type Membership,
  type MembershipEnvironment,
  type MembershipMachine,
  type Meta,
  urlViolations,
} from '../membership.ts';
import { throwViolations, type Violation } from '../options.ts';
import { sample } from '../random.ts';
import { Awareness } from './swim/awareness.ts';
import { Connections } from './swim/connections.ts';
import { Detector } from './swim/detector.ts';
import { Knowledge } from './swim/knowledge.ts';
import {
  ACK,
  ASK,
  GOSSIP,
  HASH,
  isSwimMessage,
  NACK,
  PING,
  states,
  SYNC,
  type SwimMessage,
  swimProblem,
  type SwimRecord,
  WHO,
} from './swim/messages.ts';
import { metaProblem } from './swim/meta.ts';
import { resolveSwim, type SwimOptions } from './swim/options.ts';
import type { Clocks, Status } from './swim/roster.ts';

export { sameMeta } from './swim/meta.ts';
export { type Seed, type SwimOptions, swimProfiles, swimRules } from './swim/options.ts';
export {
  isSwimMessage,
  type SwimMessage,
  type SwimRecord,
  states as swimStates,
  SYNC as SWIM_SYNC,
  HASH as SWIM_HASH,
  WHO as SWIM_WHO,
} from './swim/messages.ts';

/** How often sources are asked again by who is alone, and by who is not, in milliseconds. */
const DISCOVER_ALONE_MS = 5000;
const DISCOVER_MS = 60_000;
/** The first pause between two questions to the sources; it doubles while one is alone. */
const DISCOVER_FIRST_MS = 500;
const DAY_MS = 86_400_000;
/** So much of the records of one message as JSON, of which MessagePack takes no more bytes where it is ASCII: every node takes it. */
const CHARACTERS_PER_MESSAGE = 8192;
/**
 * Whoever is known by its hello alone is published when it has told of itself, and after so long in any case, in
 * milliseconds. That takes a round trip, and spares subscribers a member of which nothing is known and then a change of it.
 */
const INTRODUCTION_MS = 1000;
/** What a timer set for the past is set to: nothing is done twice in the same millisecond. */
const SHORTEST_MS = 1;

/**
 * The membership that needs one address to join.
 * @throws GossipError OPTIONS_INVALID that lists every violation
 */
export function swim(options: Partial<SwimOptions> = {}): Membership {
  const violations: Violation[] = [];
  const resolved = resolveSwim(options, violations);
  throwViolations(violations);
  return {
    name: 'swim',
    sources: resolved.seeds.filter((seed): seed is Discovery => typeof seed !== 'string'),
    seeks: resolved.seeds.length > 0,
    meta: resolved.meta,
    violations: (node) => urlViolations('seeds', resolved.seeds, node),
    accepts: isSwimMessage,
    problem: swimProblem,
    create: (environment) => new SwimMachine(environment, resolved),
  };
}

class SwimMachine implements MembershipMachine {
  readonly #environment: MembershipEnvironment;
  readonly #options: SwimOptions;
  readonly #awareness: Awareness;
  readonly #knowledge: Knowledge;
  readonly #detector: Detector;
  readonly #connections: Connections;
  /** How long this process has stood still altogether. */
  #stoodStillMs = 0;
  #clocks: Clocks = { nowMs: 0, awakeMs: 0 };
  #hasLeft = false;
  // When each is due, on the clock that stands still while this process does.
  #probeMs = 0;
  #gossipMs = Infinity;
  #syncMs = 0;
  #seekMs = 0;
  #discoverMs = 0;
  #discoverPauseMs = DISCOVER_FIRST_MS;
  #timerMs = Infinity;
  /** The version of what was published last. */
  #published = -1;
  /** When whoever has not told of itself is published all the same. */
  #introductionMs = Infinity;
  /** Who is to be told all, whether it shall answer, and whether a hash stands behind it. */
  readonly #asked = new Map<string, { readonly answer: boolean; readonly hash: boolean }>();
  /** When each was told all, the longest ago first, as long as that counts. */
  readonly #toldMs = new AgedMap<string, number>();
  /** Who is to hear the truth about this node. */
  readonly #accusers = new Set<string>();
  #refutedMs = -Infinity;
  /** What is to be told to whom of another node of its name. */
  readonly #untold = new Map<string, SwimRecord>();
  #toldOfOthersMs = -Infinity;

  constructor(environment: MembershipEnvironment, options: SwimOptions) {
    const { self, effects, random, maxConnections = Infinity } = environment;
    this.#environment = environment;
    this.#options = options;
    this.#awareness = new Awareness(options.awarenessMax);
    this.#knowledge = new Knowledge(self, options, {
      appeared: (status, former) => {
        this.#connections.appeared(status, former);
        if (former !== undefined && former.url !== null) this.#detector.doubt(this.#clocks);
      },
      vanished: (status) => this.#vanished(status),
      accused: (by, wasSuspected) => this.#refute(by, wasSuspected),
      outlived: (epoch) => effects.outlive(epoch),
      lives: (record) => this.#connections.lives(record),
      doubled: (record) => this.#connections.doubled(record),
      report: (error) => effects.report(error),
    });
    const knowledge = this.#knowledge;
    this.#connections = new Connections({
      self,
      options,
      knowledge,
      detector: () => this.#detector,
      effects,
      random,
      maxConnections,
      accept: (member, late) => this.#accept(member, late),
      tell: (name, record) => void this.#untold.set(name, record),
    });
    const connections = this.#connections;
    this.#detector = new Detector({
      options,
      knowledge,
      awareness: this.#awareness,
      random,
      isTied: (name) => connections.isTied(name),
      isDependent: (name) => connections.isDependent(name),
      tied: () => connections.tied(),
      dial: (status, clocks) => connections.reach(status, clocks),
      send: (to, message) => this.#send(to, message),
    });
  }

  start(nowMs: number): void {
    const { random, inherited = [], remembered = [] } = this.#environment;
    const { seeds, probeInterval, syncInterval } = this.#options;
    this.#step(nowMs, ({ awakeMs }) => {
      // Members do not all ask at the same moment.
      this.#probeMs = awakeMs + random() * probeInterval;
      this.#syncMs = awakeMs + (0.5 + random()) * syncInterval;
      this.#discoverMs = awakeMs;
      this.#seekMs = awakeMs;
      // Nobody refutes and describes itself more than once a millisecond.
      if (inherited.length > 0) this.#knowledge.outbid(1 + Math.floor(nowMs));
      this.#knowledge.inherit(
        inherited.map((member) => complete(member, nowMs)),
        this.#clocks,
      );
      for (const { status } of this.#knowledge.roster.entries())
        if (isThere(status)) this.#detector.join(status.name);
        else this.#vanished(status);
      if (inherited.length > 0) this.#detector.doubt(this.#clocks);
      this.#connections.seed(
        seeds.filter((seed) => typeof seed === 'string'),
        'seed',
        nowMs,
      );
      this.#connections.seed(remembered, 'former', nowMs);
    });
  }

  connected(member: Member, nowMs: number): void {
    this.#step(nowMs, (clocks) => this.#connections.connected(member, clocks));
  }

  disconnected(name: string, nowMs: number, released: boolean): void {
    this.#step(nowMs, (clocks) => {
      this.#asked.delete(name);
      this.#accusers.delete(name);
      this.#untold.delete(name);
      if (this.#connections.untie(name, released, clocks) && !released) this.#detector.probe(name, clocks);
    });
  }

  dialEnded(end: DialEnd, nowMs: number): void {
    this.#step(nowMs, (clocks) => this.#connections.dialEnded(end, clocks));
  }

  discovered(source: number, urls: readonly string[], nowMs: number): void {
    this.#step(nowMs, () => this.#connections.discovered(source, urls, nowMs));
  }

  receive(from: string, body: unknown, nowMs: number, more: boolean = false): void {
    this.#step(nowMs, (clocks) => this.#hear(from, body as SwimMessage, clocks), more);
  }

  tick(_timer: string, nowMs: number): void {
    this.#timerMs = Infinity;
    this.#step(nowMs, () => undefined);
  }

  /** Whatever was due meanwhile is due that much later; and who was stopped doubts itself. */
  stalled(forMs: number, nowMs: number): void {
    this.#stoodStillMs += forMs;
    this.#awareness.count(Math.ceil(forMs / this.#options.probeInterval));
    // What is due has been put off, so it is looked at with the next input.
    this.#clocks = { nowMs, awakeMs: nowMs - this.#stoodStillMs };
  }

  /** @throws GossipError OPTIONS_INVALID, nothing changed */
  describe(meta: Meta, nowMs: number): void {
    const problem = metaProblem(meta);
    if (problem !== undefined) throwViolations([{ path: 'meta', problem }]);
    this.#step(nowMs, () => this.#knowledge.describe(meta));
  }

  leave(nowMs: number): void {
    this.#step(nowMs, () => {
      this.#knowledge.leave();
      this.#send([...this.#connections.tied()], [GOSSIP, [this.#knowledge.ownRecord]]);
      this.#hasLeft = true;
    });
  }

  // Inputs

  #hear(from: string, message: SwimMessage, clocks: Clocks): void {
    // Whoever may not bear its name, or not yet, may ask who is there, and nothing that it says counts.
    if (message[0] !== WHO && !this.#connections.isTied(from)) return;
    switch (message[0]) {
      case PING:
        this.#learn(message[2], from, clocks);
        return this.#detector.pinged(from, message);
      case ACK:
        this.#learn(message[2], from, clocks);
        return this.#detector.acked(from, message, clocks);
      case ASK:
        return this.#detector.asked(from, message, clocks);
      case NACK:
        return this.#detector.nacked(from, message, clocks);
      case GOSSIP:
        return this.#learn(message[1], from, clocks);
      case HASH: {
        if (!sameSum(this.#knowledge.sum, Int32Array.from(message.slice(1, 1 + LANES))))
          this.#ask(from, { answer: true, hash: false });
        return;
      }
      case SYNC:
        this.#knowledge.compare(message[1], from, clocks);
        if (message[2]) this.#ask(from, { answer: false, hash: false });
        return;
      case WHO:
        return this.#ask(from, { answer: false, hash: true });
      default:
        // A kind that a later version says: this one does without it.
        message satisfies never;
    }
  }

  /**
   * Takes news. That somebody is down with whom there is a connection is no more than an accusation: it may come from a node
   * that was cut off, and speaks of all whom it could not hear. Whoever dies is suspected here too, or its connection ends.
   */
  #learn(records: readonly SwimRecord[], from: string, clocks: Clocks): void {
    for (const record of records)
      if (states[record[3]] === 'down' && this.#connections.isTied(record[0]))
        this.#knowledge.compare([record], from, clocks);
      else this.#knowledge.learn(record, from, clocks);
  }

  /**
   * A connection counts. Of the two, the lower name begins to compare; and who has heard nothing so far that the other said.
   */
  #accept(member: Member, late: boolean): void {
    const clocks = this.#clocks;
    this.#connections.tie(member, clocks);
    this.#knowledge.meet(member, clocks);
    this.#detector.tied(member.name);
    if (late || this.#environment.self.name < member.name) this.#compare(member.name);
  }

  #ask(from: string, { answer, hash }: { readonly answer: boolean; readonly hash: boolean }): void {
    const before = this.#asked.get(from);
    this.#asked.set(from, { answer: answer || before?.answer === true, hash: hash || before?.hash === true });
  }

  /**
   * Tells all that is known to those who asked, the truth to those who accused this node, and those of whose name there is
   * another of that one: each once in a `gossipInterval`, however often they ask or accuse, and whatever others say. Else a
   * few bytes of one would cost much here, or fill the queues of all. What comes meanwhile is answered then, once.
   */
  #answer({ awakeMs }: Clocks): void {
    const { gossipInterval } = this.#options;
    for (let name = this.#toldMs.oldest; name !== undefined; name = this.#toldMs.oldest) {
      if (awakeMs < (this.#toldMs.get(name) as number) + gossipInterval) break;
      this.#toldMs.delete(name);
    }
    for (const [name, { answer, hash }] of this.#asked) {
      if (this.#toldMs.has(name)) continue;
      this.#asked.delete(name);
      this.#toldMs.set(name, awakeMs);
      this.#tellAll(name, answer);
      // That was all.
      if (hash) this.#compare(name);
    }
    if (this.#untold.size > 0 && awakeMs >= this.#toldOfOthersMs + gossipInterval) {
      this.#toldOfOthersMs = awakeMs;
      for (const [name, record] of this.#untold) this.#send(name, [SYNC, [record], false]);
      this.#untold.clear();
    }
    if (this.#accusers.size === 0 || awakeMs < this.#refutedMs + gossipInterval) return;
    this.#refutedMs = awakeMs;
    const accusers = [...this.#accusers].filter((name) => this.#connections.isTied(name));
    this.#accusers.clear();
    this.#send(accusers, [GOSSIP, [this.#knowledge.ownRecord]]);
  }

  /** When the next answer is due that had to wait. */
  #answerMs(): number {
    const { gossipInterval } = this.#options;
    let dueMs = this.#accusers.size === 0 ? Infinity : this.#refutedMs + gossipInterval;
    if (this.#untold.size > 0) dueMs = Math.min(dueMs, this.#toldOfOthersMs + gossipInterval);
    for (const name of this.#asked.keys()) dueMs = Math.min(dueMs, (this.#toldMs.get(name) ?? 0) + gossipInterval);
    return dueMs;
  }

  /** In messages that fit a frame, whatever members say of themselves; the last asks for the answer. */
  #tellAll(to: string, answer: boolean): void {
    const records = this.#knowledge.all();
    const parts = partsOf(records);
    for (const [index, part] of parts.entries()) this.#send(to, [SYNC, part, answer && index === parts.length - 1]);
  }

  #compare(name: string): void {
    this.#send(name, [HASH, ...this.#knowledge.sum]);
  }

  /** Something untrue is said of this node. Those who said it hear the truth at once, the others by gossip. */
  #refute(by: readonly string[], wasSuspected: boolean): void {
    if (wasSuspected) this.#awareness.count(1);
    for (const name of by) if (this.#connections.isTied(name)) this.#accusers.add(name);
  }

  #vanished(status: Status): void {
    const { awakeMs } = this.#clocks;
    this.#connections.vanished(status, this.#clocks);
    if (status.url !== null) this.#detector.doubt(this.#clocks);
    // Whoever is alone now is in a hurry.
    if (this.#connections.isAlone) this.#discoverMs = Math.min(this.#discoverMs, awakeMs + DISCOVER_FIRST_MS);
  }

  // Time

  /**
   * Takes an input, then does what is due, publishes what has changed, and sets the timer.
   * @param more whether another input follows at once: a view costs as much as there are members, and waits for the last
   */
  #step(nowMs: number, input: (clocks: Clocks) => void, more: boolean = false): void {
    if (this.#hasLeft) return;
    const clocks: Clocks = { nowMs, awakeMs: nowMs - this.#stoodStillMs };
    this.#clocks = clocks;
    input(clocks);
    if (this.#hasLeft) return;
    this.#run(clocks);
    const isDue = this.#published !== this.#knowledge.version || clocks.awakeMs >= this.#introductionMs;
    if (!more && isDue) {
      this.#published = this.#knowledge.version;
      this.#environment.effects.view(this.#introduced(clocks));
      this.#connections.remember();
    }
    this.#setTimer(clocks);
  }

  /** All that is known, without those that were met a moment ago and have not told of themselves yet. */
  #introduced({ nowMs, awakeMs }: Clocks): Status[] {
    this.#introductionMs = Infinity;
    return this.#knowledge.roster.statuses().filter((status) => {
      // A suspect is published already, or is news itself: its time counts from the suspicion on.
      const waitMs = status.sinceMs + INTRODUCTION_MS - nowMs;
      if (status.incarnation > 0 || status.state !== 'alive' || waitMs <= 0) return true;
      this.#introductionMs = Math.min(this.#introductionMs, awakeMs + waitMs);
      return false;
    });
  }

  #run(clocks: Clocks): void {
    const { awakeMs } = clocks;
    this.#answer(clocks);
    this.#knowledge.judge(clocks);
    this.#detector.run(clocks);
    this.#connections.run(clocks);
    if (awakeMs >= this.#probeMs) this.#period(clocks);
    if (awakeMs >= this.#seekMs) {
      this.#connections.seek(clocks);
      this.#seekMs = awakeMs + SHORTEST_SEEK_MS;
    }
    if (awakeMs >= this.#discoverMs) this.#discover(awakeMs);
    if (awakeMs >= this.#syncMs) this.#sync(awakeMs);
    if (awakeMs >= this.#gossipMs) this.#gossip();
    const { broadcasts } = this.#knowledge;
    const hasNews = !(broadcasts.isEmpty && broadcasts.isServed) && this.#connections.neighbours.ties.size > 0;
    if (hasNews && this.#gossipMs === Infinity) this.#gossipMs = awakeMs + this.#options.gossipInterval;
  }

  #period(clocks: Clocks): void {
    const { forgetAfterMs = DAY_MS } = this.#environment;
    this.#probeMs = clocks.awakeMs + this.#awareness.stretch(this.#options.probeInterval);
    const forgotten = this.#knowledge.roster.forget(clocks.nowMs - forgetAfterMs);
    if (forgotten.length > 0) {
      this.#knowledge.version += 1;
      this.#connections.forgotten(forgotten, clocks.nowMs);
    }
    this.#connections.tend(clocks);
    this.#detector.next(this.#connections.isMesh, clocks);
    this.#detector.nextDoubted(clocks);
    // Nobody else can ask a dependent, so nobody else may find that it answers after all.
    for (const name of this.#knowledge.roster.suspects)
      if (this.#connections.isDependent(name)) this.#detector.probe(name, clocks);
  }

  #gossip(): void {
    this.#gossipMs = Infinity;
    const tied = [...this.#connections.tied()];
    // News waits for somebody to be told.
    if (tied.length === 0) return;
    const dependents = tied.filter((name) => this.#connections.isDependent(name));
    const servings = this.#knowledge.servings();
    for (const part of partsOf(servings)) this.#send(dependents, [GOSSIP, part]);
    const others = dependents.length === 0 ? tied : tied.filter((name) => !dependents.includes(name));
    if (others.length === 0) return this.#knowledge.broadcasts.clear();
    const to = sample(this.#environment.random, others, this.#options.gossipNodes);
    const news = this.#knowledge.news(to.length);
    if (news.length > 0) this.#send(to, [GOSSIP, news]);
  }

  #sync(awakeMs: number): void {
    const { random } = this.#environment;
    this.#syncMs = awakeMs + (0.9 + 0.2 * random()) * this.#options.syncInterval;
    for (const name of sample(random, [...this.#connections.tied()], 1)) this.#compare(name);
  }

  #discover(awakeMs: number): void {
    const { isAlone } = this.#connections;
    this.#discoverMs = awakeMs + (isAlone ? this.#discoverPauseMs : DISCOVER_MS);
    this.#discoverPauseMs = isAlone ? Math.min(2 * this.#discoverPauseMs, DISCOVER_ALONE_MS) : DISCOVER_FIRST_MS;
    this.#environment.effects.discover();
  }

  #setTimer(clocks: Clocks): void {
    const { awakeMs } = clocks;
    const dueMs = Math.min(
      this.#probeMs,
      this.#gossipMs,
      this.#syncMs,
      this.#discoverMs,
      this.#knowledge.judgeMs(),
      this.#detector.dueMs(),
      Math.max(this.#seekMs, this.#connections.seekMs(clocks)),
      this.#connections.dueMs(),
      this.#answerMs(),
      this.#introductionMs,
    );
    // One that runs and is too early by now would wake an idle process for nothing.
    if (this.#timerMs === dueMs) return;
    this.#timerMs = Math.max(dueMs, awakeMs + SHORTEST_MS);
    this.#environment.effects.setTimer('swim', this.#timerMs - awakeMs);
  }

  #send(to: string | readonly string[], message: SwimMessage): void {
    if (to.length > 0) this.#environment.effects.send(to, message);
  }
}

/** How long to wait at least between two looks at whom to dial, in milliseconds. */
const SHORTEST_SEEK_MS = 100;

function complete(
  { name, epoch, url, meta = {}, state = 'alive', incarnation = 0, sinceMs }: Partial<Status> & Member,
  nowMs: number,
): Status {
  return { name, epoch, url, meta, state, incarnation, sinceMs: sinceMs ?? nowMs };
}

/** Records, cut for the wire. */
function partsOf(records: readonly SwimRecord[]): (readonly SwimRecord[])[] {
  const parts: (readonly SwimRecord[])[] = [];
  for (let from = 0; from < records.length;) {
    let end = from;
    for (let room = CHARACTERS_PER_MESSAGE; room > 0 && end < records.length; end++)
      room -= JSON.stringify(records[end]).length;
    parts.push(records.slice(from, end));
    from = end;
  }
  return parts;
}
