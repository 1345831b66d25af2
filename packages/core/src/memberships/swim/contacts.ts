/**
 * Contacts: URLs that may lead to somebody who is not in the view, and when each is dialled again. For ever.
 *
 * Invariants
 *  1. A URL that leads to nobody is dialled ever more seldom, up to the longest pause of its kind, and never given up while
 *     it is of that kind.
 *  2. URLs that no user and no source names are bounded: the oldest of a kind give way.
 *  3. Who is alone tries all at once and often; who is not tries one at a time.
 *
 * Source: design, section 8: seeds and lost peers are dialled for ever.
 */

import { below, type Random, sample } from '../../random.ts';

/**
 * `seed`: named by the user, or by a source. `lost`: of a member that is down. `former`: of one that is forgotten, or that a
 * former process knew.
 */
export type ContactKind = 'seed' | 'lost' | 'former';

interface Contact {
  readonly url: string;
  kind: ContactKind;
  attempts: number;
  dueMs: number;
  isUnderWay: boolean;
}

/** The first pause, in milliseconds; it doubles. */
const FIRST_MS = 1000;
const FIRST_ALONE_MS = 250;
/** The longest pauses, in milliseconds. */
const LONGEST_ALONE_MS = 5000;
const LONGEST_MS: Readonly<Record<ContactKind, number>> = { seed: 60_000, lost: 60_000, former: 600_000 };
const MOST: Readonly<Record<ContactKind, number>> = { seed: Infinity, lost: 1000, former: 256 };
/** How many are dialled at once by who is alone, and by who is not. */
const AT_ONCE_ALONE = 8;
const AT_ONCE = 1;

export class Contacts {
  readonly #random: Random;
  readonly #contacts = new Map<string, Contact>();
  readonly #counts: Record<ContactKind, number> = { seed: 0, lost: 0, former: 0 };

  constructor(random: Random) {
    this.#random = random;
  }

  /** In order of usefulness. */
  urls(kind: ContactKind): string[] {
    return [...this.#contacts.values()].filter((contact) => contact.kind === kind).map(({ url }) => url);
  }

  /** A URL is to be tried, from now on. What is known already keeps its pause, and is what counts more. */
  add(url: string, kind: ContactKind, nowMs: number): void {
    const known = this.#contacts.get(url);
    if (known?.kind === 'seed' || known?.kind === kind) return;
    if (known === undefined) this.#contacts.set(url, { url, kind, attempts: 0, dueMs: nowMs, isUnderWay: false });
    else {
      if (known.kind === 'former') {
        known.attempts = 0;
        known.dueMs = Math.min(known.dueMs, nowMs);
      }
      this.#counts[known.kind] -= 1;
      known.kind = kind;
    }
    this.#counts[kind] += 1;
    if (this.#counts[kind] > MOST[kind]) this.#dropOldest(kind);
  }

  /** Whoever was there is a member again, or nobody wants him. Seeds stay. */
  settle(url: string): void {
    const contact = this.#contacts.get(url);
    if (contact !== undefined && contact.kind !== 'seed') this.#delete(contact);
  }

  /** No seed any more. */
  drop(url: string): void {
    const contact = this.#contacts.get(url);
    if (contact?.kind === 'seed') this.#delete(contact);
  }

  /** When the next is due and may be dialled; Infinity while as many dials are under way as may be. */
  dueMs(alone: boolean): number {
    let dueMs = Infinity;
    let more = alone ? AT_ONCE_ALONE : AT_ONCE;
    for (const contact of this.#contacts.values()) {
      if (contact.isUnderWay) more -= 1;
      else dueMs = Math.min(dueMs, contact.dueMs);
    }
    return more > 0 ? dueMs : Infinity;
  }

  /**
   * Those to be dialled now, each of which must be answered by `ended`.
   * @param needless whether nobody new can be found at a URL: it is put off
   */
  take(alone: boolean, needless: (url: string) => boolean, nowMs: number): string[] {
    const due: Contact[] = [];
    let more = alone ? AT_ONCE_ALONE : AT_ONCE;
    for (const contact of this.#contacts.values()) {
      if (contact.isUnderWay) more -= 1;
      else if (contact.dueMs > nowMs) continue;
      else if (needless(contact.url)) contact.dueMs = nowMs + LONGEST_MS[contact.kind];
      else due.push(contact);
    }
    // A list that all were given is begun at another place by each.
    const taken = sample(this.#random, due, due.length)
      .sort((a, b) => a.dueMs - b.dueMs)
      .slice(0, Math.max(0, more));
    for (const contact of taken) contact.isUnderWay = true;
    return taken.map(({ url }) => url);
  }

  /** @param found whether a node that is there answered */
  ended(url: string, { found, alone }: { readonly found: boolean; readonly alone: boolean }, nowMs: number): void {
    const contact = this.#contacts.get(url);
    if (contact === undefined) return;
    contact.isUnderWay = false;
    const longestMs = alone ? LONGEST_ALONE_MS : LONGEST_MS[contact.kind];
    if (found) {
      contact.attempts = 0;
      contact.dueMs = nowMs + LONGEST_MS[contact.kind];
      return;
    }
    const ceilingMs = Math.min(longestMs, (alone ? FIRST_ALONE_MS : FIRST_MS) * 2 ** Math.min(contact.attempts, 30));
    contact.attempts += 1;
    contact.dueMs = nowMs + ceilingMs * (0.5 + 0.5 * this.#random());
  }

  /** Whoever is alone now is in a hurry. */
  hurry(nowMs: number): void {
    for (const contact of this.#contacts.values()) {
      contact.attempts = 0;
      contact.dueMs = Math.min(contact.dueMs, nowMs + below(this.#random, FIRST_ALONE_MS));
    }
  }

  #dropOldest(kind: ContactKind): void {
    for (const contact of this.#contacts.values()) if (contact.kind === kind) return this.#delete(contact);
  }

  #delete({ url, kind }: Contact): void {
    this.#contacts.delete(url);
    this.#counts[kind] -= 1;
  }
}
