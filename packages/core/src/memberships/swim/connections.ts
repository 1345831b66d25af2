/**
 * Connections: whom this node dials and whom it lets go, and who may take over a name.
 *
 * Invariants
 *  1. One dial of a URL is under way at most, and each ends by `dialEnded`.
 *  2. Whoever is there and could be dialled is connected, in a small cluster; in a large one, `neighbours` of them are.
 *  3. Places where nobody known lives are dialled for ever (contacts.ts).
 *  4. A name is taken over at once by who was started anew at the same address, or where the former does not answer. Where
 *     it does, the newcomer is sent away: two living nodes do not share a name. So it is where the newcomer's clock is behind,
 *     and its epoch the lower one: it takes another then.
 *  5. Whoever is connected is sent away as soon as a node of its name and a higher epoch is heard to live. Of two that bear one
 *     epoch, the connected one is told of the other.
 *
 * Source: ADR 10; design, section 8.
 */

import { GossipError } from '../../errors.ts';
import { type DialEnd, isThere, type Member, type MembershipEffects } from '../../membership.ts';
import { type Random, sample } from '../../random.ts';
import { Contacts } from './contacts.ts';
import type { Detector } from './detector.ts';
import type { Knowledge } from './knowledge.ts';
import { Neighbours } from './neighbours.ts';
import type { SwimRecord } from './messages.ts';
import type { SwimOptions } from './options.ts';
import type { Clocks, Status } from './roster.ts';

export interface ConnectionsDetails {
  readonly self: Member;
  readonly options: SwimOptions;
  readonly knowledge: Knowledge;
  readonly detector: () => Detector;
  readonly effects: MembershipEffects;
  readonly random: Random;
  readonly maxConnections: number;
  /** The connection with this member counts from now on; `late`: it was up before. */
  readonly accept: (member: Member, late: boolean) => void;
  /** It is to hear this of its own name: of a later life, which is over, or of another node. */
  readonly tell: (name: string, record: SwimRecord) => void;
}

/** Somebody under a name whose bearer may still live elsewhere. */
interface Claim {
  readonly member: Member;
  readonly former: Status & { readonly url: string };
  readonly untilMs: number;
}

/** How many dials of a kind are under way at once. */
const MOST_DIALS = 16;
/** How long the higher name leaves it to the lower to dial, in milliseconds: else they dial each other at once. */
const PATIENCE_MS = 1000;
/** Every so many rounds of tending, a large cluster's node makes a new choice. */
const ROTATION = 10;
const MOST_REMEMBERED = 1000;
/** The share of the connections that may be in use before those that nobody chose here are let go. */
const ROOM_SHARE = 0.75;

export class Connections {
  readonly neighbours: Neighbours;
  readonly #details: ConnectionsDetails;
  readonly #contacts: Contacts;
  readonly #dials = new Set<string>();
  /** Whom a dial is to lead to, by URL. */
  readonly #dialled = new Map<string, string>();
  readonly #claims = new Map<string, Claim>();
  readonly #complained = new Set<string>();
  #sources: readonly (readonly string[])[] = [];
  /** Members in the order in which they will be chosen. */
  #strangers: string[] = [];
  #rounds = 0;
  #hasMetSelf = false;

  constructor(details: ConnectionsDetails) {
    const { options, maxConnections, random } = details;
    this.#details = details;
    this.#contacts = new Contacts(random);
    this.neighbours = new Neighbours(
      Math.max(1, Math.min(options.neighbours, Math.floor(maxConnections / 4))),
      Math.floor(ROOM_SHARE * maxConnections),
    );
  }

  get isMesh(): boolean {
    return this.neighbours.isMesh(this.#details.knowledge.roster.there);
  }

  /** Whether nobody is there who is connected or can be dialled. */
  get isAlone(): boolean {
    if (this.neighbours.ties.size > 0) return false;
    const { roster } = this.#details.knowledge;
    return roster.there === 0 || roster.statuses().every((status) => status.url === null || !isThere(status));
  }

  isTied(name: string): boolean {
    return this.neighbours.ties.has(name);
  }

  /**
   * Whether it is connected and nobody can dial it: it hears from those alone whom it has dialled, and nobody of its kind can
   * pass anything on to it.
   */
  isDependent(name: string): boolean {
    return this.isTied(name) && this.#details.knowledge.roster.get(name)?.status.url === null;
  }

  tied(): Iterable<string> {
    return this.neighbours.ties.keys();
  }

  // Where others may be

  seed(urls: readonly string[], kind: 'seed' | 'former', nowMs: number): void {
    for (const url of urls)
      if (url !== this.#details.self.url) this.#contacts.add(url, kind, nowMs);
      else if (kind === 'seed') this.#meetSelf(url);
  }

  /** A list that is the same for all names this node as well: it is dialled once, so that it is known to lead here. */
  #meetSelf(url: string): void {
    if (this.#hasMetSelf) return;
    this.#hasMetSelf = true;
    this.#dial(url);
  }

  /** A source has found these, in place of what it found before. */
  discovered(source: number, urls: readonly string[], nowMs: number): void {
    const before = this.#sources[source] ?? [];
    const sources = this.#sources.slice();
    sources[source] = urls;
    this.#sources = sources;
    const { knowledge } = this.#details;
    const unnamed = new Set(before.filter((url) => !this.#isConfigured(url)));
    for (const url of unnamed) {
      this.#contacts.drop(url);
      this.#complained.delete(url);
    }
    // A source may name none but those that it finds well.
    if (unnamed.size > 0)
      for (const { state, url } of knowledge.roster.statuses())
        if (state === 'down' && url !== null && unnamed.has(url)) this.#contacts.add(url, 'lost', nowMs);
    this.seed(urls, 'seed', nowMs);
  }

  // Who is there

  /** @param former what was believed of this name before */
  appeared({ name, url }: Status, former: Status | undefined): void {
    if (url !== null) this.#contacts.settle(url);
    // Nobody is where it was.
    if (former && former.url !== null) this.#contacts.settle(former.url);
    this.neighbours.forgive(name);
    this.#details.detector().drop(name);
    this.#details.detector().join(name);
  }

  vanished({ name, url, state }: Status, { nowMs }: Clocks): void {
    this.neighbours.unchoose(name);
    this.neighbours.forgive(name);
    this.#details.detector().drop(name);
    if (state === 'left' && url !== null) this.#contacts.settle(url);
    if (state === 'down' && url !== null && url !== this.#details.self.url) this.#contacts.add(url, 'lost', nowMs);
    if (this.isAlone) this.#contacts.hurry(nowMs);
  }

  /** Members that were gone for so long that they are members no more: their addresses are tried on. */
  forgotten(statuses: readonly Status[], nowMs: number): void {
    for (const { url, state } of statuses)
      if (state === 'down' && url !== null) this.#contacts.add(url, 'former', nowMs);
  }

  // What happens to connections

  connected(member: Member, clocks: Clocks): void {
    const { knowledge } = this.#details;
    const { name, epoch } = member;
    const status = knowledge.roster.get(name)?.status;
    if (status !== undefined && status.epoch !== epoch && isThere(status) && this.#isElsewhere(status, member)) {
      const former = status as Status & { readonly url: string };
      this.#claims.set(name, { member, former, untilMs: clocks.awakeMs + this.#details.options.probeTimeout });
      this.#dial(former.url);
      return;
    }
    // Of one that nobody can dial, its last word counts until it is in doubt. It is by now: perhaps nobody asked it any more.
    if (status?.state === 'alive' && status.epoch > epoch && status.url === null && !this.isTied(name)) {
      this.#details.detector().probe(name, clocks);
      return this.#expel(member, null);
    }
    this.#succeed(member, false);
  }

  /** A node is heard to live: one that is connected under its name and an earlier epoch is sent away. */
  lives([name, epoch, , , url]: SwimRecord): void {
    const tie = this.neighbours.ties.get(name);
    if (tie !== undefined && tie.epoch < epoch) this.#expel({ name, epoch: tie.epoch }, url);
  }

  /** Two nodes have one name and one epoch: the one that is connected is told of the other. */
  doubled(record: SwimRecord): void {
    const [name, epoch] = record;
    if (this.neighbours.ties.get(name)?.epoch === epoch) this.#details.tell(name, record);
  }

  /** @param url where the node of its name lives; `null`: nobody knows */
  #expel({ name, epoch }: Pick<Member, 'name' | 'epoch'>, url: string | null): void {
    const where = url === null ? '' : `, at ${url}`;
    const reason = `a living node is named "${name}"${where}: give each its own name (--name)`;
    this.#details.effects.expel(name, reason, epoch);
  }

  /** A connection counts from now on. */
  tie({ name, epoch }: Member, { awakeMs }: Clocks): void {
    this.neighbours.tie(name, epoch, awakeMs);
  }

  /** @returns whether it counted */
  untie(name: string, released: boolean, { awakeMs, nowMs }: Clocks): boolean {
    this.#claims.delete(name);
    this.neighbours.unchoose(name);
    const counted = this.neighbours.untie(name, released, awakeMs);
    // Of a peer that has gone without a word the connection may end long after the peer was declared down.
    if (counted && this.isAlone) this.#contacts.hurry(nowMs);
    return counted;
  }

  /** Dials a member. @returns false where that cannot be, or not yet */
  reach({ name, url }: Status, { awakeMs }: Clocks): boolean {
    if (url === null || url === this.#details.self.url || this.neighbours.isPaused(name, awakeMs)) return false;
    this.#dial(url, name);
    return true;
  }

  dialEnded(end: DialEnd, clocks: Clocks): void {
    const { url, outcome, peer } = end;
    this.#dials.delete(url);
    const meant = this.#dialled.get(url);
    this.#dialled.delete(url);
    const { knowledge } = this.#details;
    const answered = outcome === 'connected' || outcome === 'duplicate';
    const tie = answered && peer !== null ? this.neighbours.ties.get(peer.name) : undefined;
    if (outcome === 'connected' && tie !== undefined) tie.ours = true;
    const found = answered && peer !== null && knowledge.roster.isThere(peer.name);
    this.#contacts.ended(url, { found, alone: this.isAlone }, clocks.nowMs);
    if (answered) this.#complained.delete(url);
    else this.#complain(end);
    this.#settleClaims(end);
    if (meant === undefined || (answered && peer?.name === meant)) return;
    this.neighbours.unchoose(meant);
    if (knowledge.roster.isThere(meant)) this.neighbours.failed(meant, clocks.awakeMs);
    // Whoever says that it has no room lives.
    const isRefusedByIt = outcome === 'refused' && peer?.name === meant && peer.epoch === this.#epochOf(meant);
    if (!isRefusedByIt && !this.isTied(meant)) this.#details.detector().unreachable(meant, clocks);
  }

  // What is done now and then

  /** When a claim is over, on the clock that stands still while this process does. */
  dueMs(): number {
    let dueMs = Infinity;
    for (const { untilMs } of this.#claims.values()) dueMs = Math.min(dueMs, untilMs);
    return dueMs;
  }

  /** When a contact is due, on the same clock; while no more can be dialled, the end of a dial comes first. */
  seekMs({ nowMs, awakeMs }: Clocks): number {
    return this.#contacts.dueMs(this.isAlone) - nowMs + awakeMs;
  }

  run(clocks: Clocks): void {
    for (const [name, { member, untilMs }] of this.#claims)
      if (clocks.awakeMs >= untilMs) {
        this.#claims.delete(name);
        this.#succeed(member, true);
      }
  }

  /** Dials places where nobody known lives. */
  seek({ nowMs }: Clocks): void {
    const { knowledge } = this.#details;
    if (this.#contacts.dueMs(this.isAlone) > nowMs) return;
    const known = new Set<string>();
    for (const { status } of knowledge.roster.entries())
      if (isThere(status) && status.url !== null) known.add(status.url);
    for (const url of this.#contacts.take(this.isAlone, (contact) => known.has(contact), nowMs)) this.#dial(url);
  }

  /** Makes and drops connections so that those are there that should be; once every `probeInterval`. */
  tend(clocks: Clocks): void {
    this.#rounds += 1;
    if (this.isMesh) this.#tendMesh(clocks);
    else this.#tendChoice(clocks);
  }

  #tendMesh(clocks: Clocks): void {
    const { awakeMs } = clocks;
    const { knowledge, self } = this.#details;
    for (const { status } of knowledge.roster.entries()) {
      if (this.#dials.size >= MOST_DIALS) return;
      if (!this.#isWanted(status, awakeMs)) continue;
      // The lower name dials, if it can know where; the higher waits for it once.
      const isTheirs = self.url !== null && self.name > status.name;
      if (!isTheirs || !this.neighbours.putOff(status.name, awakeMs + PATIENCE_MS)) this.reach(status, clocks);
    }
  }

  #tendChoice(clocks: Clocks): void {
    const { neighbours } = this;
    const { effects } = this.#details;
    const rotates = this.#rounds % ROTATION === 0;
    // A cluster that has just grown beyond a mesh has enough of them. A few are those through whom this node joined, as
    // others did: were they chosen, all would choose the same.
    const spare = [...neighbours.spare()];
    if (spare.length >= neighbours.wanting)
      for (const name of sample(this.#details.random, spare, neighbours.wanting)) neighbours.choose(name);
    for (let more = neighbours.wanting + (rotates ? 1 : 0); more > 0 && this.#dials.size < MOST_DIALS; more--) {
      const stranger = this.#nextStranger(clocks.awakeMs);
      if (stranger === undefined) break;
      neighbours.choose(stranger.name);
      this.reach(stranger, clocks);
    }
    neighbours.trim();
    // Asked for again at the next round of tending, where one is too busy to be closed now.
    // Where few can be dialled, as in a star, those are all that it has.
    const idle = neighbours.wanting > 0 ? undefined : neighbours.idle(clocks.awakeMs);
    if (idle !== undefined) effects.hangUp(idle);
    for (const name of neighbours.crowding(clocks.awakeMs)) if (name !== idle) effects.hangUp(name);
  }

  /** Whoever is not connected, everybody once in a round. */
  #nextStranger(awakeMs: number): Status | undefined {
    const { knowledge, random } = this.#details;
    for (let rounds = 0; rounds < 2; rounds++) {
      for (let name = this.#strangers.pop(); name !== undefined; name = this.#strangers.pop()) {
        const status = knowledge.roster.get(name)?.status;
        if (status !== undefined && this.#isWanted(status, awakeMs)) return status;
      }
      const names = knowledge.roster.statuses().map(({ name }) => name);
      this.#strangers = sample(random, names, names.length);
    }
    return undefined;
  }

  /** Whether it is there and not connected, and can be dialled by now. */
  #isWanted(status: Status, awakeMs: number): boolean {
    const { name, url } = status;
    return (
      isThere(status) &&
      url !== null &&
      !this.isTied(name) &&
      !this.#dials.has(url) &&
      !this.#claims.has(name) &&
      this.neighbours.isDue(name, awakeMs)
    );
  }

  /** Whether a former of this name may still live where the newcomer is not. */
  #isElsewhere(former: Status, member: Member): boolean {
    return former.url !== null && former.url !== member.url && !this.isTied(former.name);
  }

  /** Nobody else bears its name. Whose clock is behind its former self's is told so, and comes again. */
  #succeed(member: Member, late: boolean): void {
    const { knowledge, accept, tell } = this.#details;
    if ((this.#epochOf(member.name) ?? 0) > member.epoch) tell(member.name, knowledge.lateRecord(member.name));
    else accept(member, late);
  }

  #epochOf(name: string): number | undefined {
    return this.#details.knowledge.roster.get(name)?.status.epoch;
  }

  #settleClaims({ url, peer }: DialEnd): void {
    for (const [name, { member, former }] of this.#claims) {
      if (former.url !== url) continue;
      this.#claims.delete(name);
      if (peer?.name === name && peer.epoch === former.epoch) this.#expel(member, url);
      else this.#succeed(member, true);
    }
  }

  #dial(url: string, meant?: string): void {
    if (meant !== undefined) this.#dialled.set(url, meant);
    if (this.#dials.has(url)) return;
    this.#dials.add(url);
    this.#details.effects.connect(url, this.#isConfigured(url) ? 'configuration' : 'peers');
  }

  /** Whether the user or a source names this URL now. */
  #isConfigured(url: string): boolean {
    const { seeds } = this.#details.options;
    return seeds.includes(url) || this.#sources.some((found) => found?.includes(url));
  }

  /** Who waits for somebody to answer shall know that nobody does: once for each address. */
  #complain({ url, outcome, error }: DialEnd): void {
    if (outcome === 'self' && url === this.#details.self.url) return this.#complainOfSelf(url);
    if (outcome === 'refused' || this.#complained.has(url) || !this.#contacts.urls('seed').includes(url)) return;
    this.#complained.add(url);
    const why = error === undefined ? `${url} cannot be reached` : error.message;
    const code = error?.code ?? 'PEER_UNREACHABLE';
    this.#details.effects.report(
      new GossipError(code, `${why}; it is a seed, and tried on`, { context: { url }, cause: error }),
    );
  }

  /** Where nothing else was configured, nobody is found. */
  #complainOfSelf(url: string): void {
    if (this.#sources.length > 0 || this.#contacts.urls('seed').length > 0) return;
    const message = `The only seed, ${url}, leads to this node itself: it finds nobody until others find it. Name another node as a seed (--join) on all nodes but one.`;
    this.#details.effects.report(new GossipError('PEER_UNREACHABLE', message, { context: { url } }));
  }

  /** Whoever is known shall be known at the next start, the living first: also who has left, and may be back by then. */
  remember(): void {
    const { knowledge, effects } = this.#details;
    const urls = new Set<string>();
    for (const living of [true, false])
      for (const status of knowledge.roster.statuses())
        if (status.url !== null && isThere(status) === living) urls.add(status.url);
    for (const url of this.#contacts.urls('former')) urls.add(url);
    if (urls.size > 0) effects.remember([...urls].slice(0, MOST_REMEMBERED));
  }
}
