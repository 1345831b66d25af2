/**
 * Synchronous cycles, as the papers count them: all sites act, then each is handed what it got as one batch.
 *
 * Invariants
 *  1. A cycle has waves. In the first every site whose timer is due acts; then all mail is handed over, a batch to each
 *     site, and what that causes (feedback, questions, answers) is the next wave, until nothing is under way.
 *  2. So whether a push was known is judged against the start of the cycle, a rumor that travels by its dot has its value
 *     within the cycle, and who is infected acts from the next cycle on.
 *  3. Time stands still within a cycle; timers fire at the first cycle at or after they are due.
 *
 * Sites see stand-ins, one for each partner that they call in a cycle, and the network draws whom it stands for: a uniform
 * choice among the others, made in one place instead of from a list of all names at each site. That is the same chance,
 * takes memory by the sites instead of by their square, and it is where a limit of connections and hunting belong: in the
 * paper too they are what the network does to a call.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.4.
 */

import { below, type Message, type Protocol, type Random, type Received, seededRandom } from '@grapevine/core';
import { Minimisation } from './minimisation.ts';
import { copyOf, indexOf, type Network, peerOf, Site } from './site.ts';
import type { Spread } from './spread.ts';
import { Traffic } from './traffic.ts';

export interface CycleOptions {
  readonly protocol: Protocol;
  readonly nodes: number;
  /** The protocol's own `delta`: one cycle, in milliseconds. */
  readonly deltaMs: number;
  /** The protocol's own `level`; 0: all. */
  readonly level: number;
  /** Share of messages that are lost. @default 0 */
  readonly loss?: number;
  /** How many calls a site accepts in a cycle. @default Infinity */
  readonly connectionLimit?: number;
  /** How many others a site calls when it was not accepted. @default 0 */
  readonly hunt?: number;
  /** Hand over the first wave message by message, in order of arrival, instead of as a batch. @default false */
  readonly inOrder?: boolean;
  /** End when every site has the update, instead of when nobody spreads it any more. @default false */
  readonly untilAll?: boolean;
  /** Let sites see each other by name instead of stand-ins. For protocols that remember whom they called. @default false */
  readonly fullView?: boolean;
  /** Minimise as in the paper; needs direction `push-pull`. `resets`: whether news reset the counter. @default none */
  readonly minimisation?: { readonly resets: boolean };
  /** Of what chance the machines have before the first run. @default 0 */
  readonly seed?: number;
  /** Give up after so many cycles. @default 10000 */
  readonly cycleLimit?: number;
}

const T0 = 1_800_000_000_000;
/** Longer than any machine keeps what it has removed. */
const REST_MS = 3_600_000;
const STAND_IN = 'partner-';
const REFUSED = -1;

export class CycleCrowd implements Network {
  readonly #options: CycleOptions;
  readonly #sites: Site[] = [];
  #random: Random;
  #traffic = new Traffic(false);
  #nowMs: number = T0;
  /** Sites with mail. */
  #awake: Site[] = [];
  /** Whom each site's stand-ins stand for in this cycle. */
  readonly #partners: Map<string, number>[] = [];
  /** Calls that each site has accepted in this cycle. */
  readonly #accepted: Uint32Array;
  readonly #minimisation: Minimisation | undefined;

  constructor(options: CycleOptions) {
    this.#options = options;
    const { nodes, level, protocol, fullView = false, minimisation, seed = 0 } = options;
    this.#accepted = new Uint32Array(nodes);
    this.#minimisation = minimisation && new Minimisation(nodes, minimisation.resets);
    this.#random = seededRandom(seed);
    const random = (): number => this.#random();
    const callsAll = fullView || level === 0 || level >= nodes - 1;
    const standIns = Array.from({ length: callsAll ? 0 : level }, (_, i) => peerOf(`${STAND_IN}${i}`));
    for (let index = 0; index < nodes; index++) {
      const site = new Site({ index, protocol, network: this, random });
      this.#sites.push(site);
      this.#partners.push(new Map());
      site.nowMs = T0;
      site.machine.start(T0);
    }
    const all = callsAll ? this.#sites.map(({ name }) => peerOf(name)) : [];
    for (const { index, machine } of this.#sites)
      machine.peersChanged(callsAll ? all.filter((_, other) => other !== index) : standIns, T0);
    this.#rest();
  }

  /**
   * Lets one update spread until nobody is infective, or everybody has it.
   * @param measured whether bytes are counted
   */
  spread(random: Random, measured: boolean = false): Spread {
    const { nodes, untilAll = false, cycleLimit = 10_000 } = this.#options;
    this.#random = random;
    this.#traffic = new Traffic(measured);
    // Which site writes makes no difference: partners are drawn alike for all.
    const writer = this.#sites[0] as Site;
    this.#minimisation?.begin();
    const { origin, sequence } = writer.write('rumor', this.#nowMs);
    const arrivals = new Float64Array(nodes).fill(Infinity);
    const removals = new Float64Array(nodes).fill(Infinity);
    arrivals[0] = 0;
    let infective = [writer];
    let lacking = this.#sites.slice(1);
    for (let cycle = 1; infective.length > 0 && cycle <= cycleLimit; cycle++) {
      this.#cycle();
      lacking = lacking.filter((site) => {
        if (!site.replica.context.has(origin, sequence)) return true;
        arrivals[site.index] = cycle;
        infective.push(site);
        return false;
      });
      infective = infective.filter((site) => {
        if (site.isInfective) return true;
        removals[site.index] = cycle;
        return false;
      });
      if (untilAll && lacking.length === 0) break;
    }
    const { pushes, values, messages, bytes } = this.#traffic;
    this.#rest();
    return { arrivals, removals, pushes, values, messages, bytes };
  }

  setTimer(site: Site, timer: string, delayMs: number): void {
    site.timers.set(timer, this.#nowMs + delayMs);
  }

  /** Lets the machines forget, so that the next update finds them as if they were new. Nobody gets what is sent now. */
  #rest(): void {
    this.#random = seededRandom(0);
    this.#traffic = new Traffic(false);
    for (const { replica } of this.#sites) for (const update of replica.store) replica.drop(update);
    for (let asked = true; asked;) {
      this.#nowMs += REST_MS;
      this.#act(this.#nowMs);
      asked = this.#takeMail().some(({ batch }) => batch.some(({ message }) => message.type === 'ask'));
    }
    for (const { machine } of this.#sites) machine.collect(this.#nowMs);
  }

  #cycle(): void {
    const nowMs = (this.#nowMs += this.#options.deltaMs);
    this.#act(nowMs);
    if (this.#options.inOrder === true) this.#waveInOrder(nowMs);
    while (this.#awake.length > 0) this.#wave(nowMs);
    this.#minimisation?.endCycle();
  }

  send(from: Site, to: string, message: Message): void {
    const index = indexOf(to) ?? this.#partner(from, to);
    if (index === REFUSED) return;
    this.#traffic.count(from.index, index, message);
    const { loss = 0 } = this.#options;
    if (loss > 0 && this.#random() < loss) return;
    const site = this.#sites[index] as Site;
    if (this.#minimisation !== undefined && message.type === 'feedback') {
      const called = [...(this.#partners[index] as Map<string, number>).values()].includes(from.index);
      if (!this.#minimisation.carries(from, site, message, called)) return;
    }
    if (site.inbox.length === 0) this.#awake.push(site);
    site.inbox.push({ from: from.name, message: copyOf(message) });
  }

  #act(nowMs: number): void {
    const { connectionLimit = Infinity } = this.#options;
    for (const partners of this.#partners) if (partners.size > 0) partners.clear();
    if (connectionLimit === Infinity) {
      for (const site of this.#sites) fire(site, nowMs);
      return;
    }
    // Who calls first is accepted first: everybody gets the chance.
    this.#accepted.fill(0);
    for (const site of shuffled(this.#random, this.#sites)) fire(site, nowMs);
  }

  /** Hands over all that is under way; what that causes is the next wave. */
  #wave(nowMs: number): void {
    const wave = this.#takeMail();
    for (const { site, batch } of wave) site.receive(batch, nowMs);
  }

  #waveInOrder(nowMs: number): void {
    const wave = this.#takeMail();
    for (const { site, batch } of wave)
      for (const received of batch) {
        site.receive([received], nowMs);
        while (this.#awake.length > 0) this.#wave(nowMs);
      }
  }

  #takeMail(): { readonly site: Site; readonly batch: Received[] }[] {
    const mail = this.#awake.map((site) => ({ site, batch: site.takeInbox() }));
    this.#awake = [];
    return mail;
  }

  /** Whom a stand-in stands for in this cycle: drawn when it is first called. */
  #partner(from: Site, standIn: string): number {
    const partners = this.#partners[from.index] as Map<string, number>;
    let partner = partners.get(standIn);
    if (partner === undefined) {
      partner = this.#call(from.index, partners);
      partners.set(standIn, partner);
    }
    return partner;
  }

  #call(from: number, called: ReadonlyMap<string, number>): number {
    const { nodes, connectionLimit = Infinity, hunt = 0 } = this.#options;
    const taken = [...called.values()];
    for (let attempt = 0; attempt <= hunt; attempt++) {
      let to = below(this.#random, nodes - 1);
      if (to >= from) to++;
      if (taken.includes(to)) {
        attempt--;
        continue;
      }
      if ((this.#accepted[to] as number) >= connectionLimit) continue;
      this.#accepted[to] = (this.#accepted[to] as number) + 1;
      return to;
    }
    return REFUSED;
  }
}

/** Fires the timers that are due. */
function fire(site: Site, nowMs: number): void {
  site.nowMs = nowMs;
  for (const [timer, dueMs] of site.timers) {
    if (dueMs > nowMs) continue;
    site.timers.delete(timer);
    site.machine.tick(timer, nowMs);
  }
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = items.slice();
  for (let i = result.length - 1; i > 0; i--) {
    const j = below(random, i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
