/**
 * Contacts: URLs that may lead to somebody who is not in the view, and when each is dialled again. For ever.
 *
 * Invariants
 *  1. A URL that leads to nobody is dialled ever more seldom, up to the longest pause of its kind, and never given up while
 *     it is of that kind.
 *  2. URLs that nobody names any more are bounded: the oldest give way.
 *  3. Who is alone tries all at once and often; who is not tries one at a time.
 *
 * Source: design, section 8: seeds and lost peers are dialled for ever.
 */

import { below, type Random } from '../../random.ts';

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
const MAX_FORMER = 256;
/** How many are dialled at once by who is alone. */
const AT_ONCE = 8;

export class Contacts {
  readonly #random: Random;
  readonly #contacts = new Map<string, Contact>();
  #former = 0;

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
    if (known === undefined) {
      this.#contacts.set(url, { url, kind, attempts: 0, dueMs: nowMs, isUnderWay: false });
      if (kind === 'former') this.#bound(1);
    } else if (known.kind === 'former' && kind !== 'former') {
      known.kind = kind;
      known.attempts = 0;
      known.dueMs = Math.min(known.dueMs, nowMs);
      this.#former -= 1;
    } else if (known.kind === 'lost' && kind === 'former') {
      known.kind = kind;
      this.#bound(1);
    }
  }

  /** Whoever was there is a member again, or nobody wants him. Seeds stay. */
  settle(url: string): void {
    const contact = this.#contacts.get(url);
    if (contact === undefined || contact.kind === 'seed') return;
    if (contact.kind === 'former') this.#former -= 1;
    this.#contacts.delete(url);
  }

  /** No seed any more. */
  drop(url: string): void {
    if (this.#contacts.get(url)?.kind === 'seed') this.#contacts.delete(url);
  }

  /** Whether one more may be dialled now. */
  hasRoom(alone: boolean): boolean {
    let underWay = 0;
    for (const contact of this.#contacts.values()) if (contact.isUnderWay) underWay += 1;
    return underWay < mostAtOnce(alone);
  }

  /** When the next is due. */
  dueMs(): number {
    let dueMs = Infinity;
    for (const contact of this.#contacts.values())
      if (!contact.isUnderWay && contact.dueMs < dueMs) dueMs = contact.dueMs;
    return dueMs;
  }

  /**
   * Those to be dialled now, each of which must be answered by `ended`.
   * @param needless whether nobody new can be found at a URL: it is put off
   */
  take(alone: boolean, needless: (url: string) => boolean, nowMs: number): string[] {
    const due: Contact[] = [];
    let underWay = 0;
    for (const contact of this.#contacts.values()) {
      if (contact.isUnderWay) underWay += 1;
      else if (contact.dueMs > nowMs) continue;
      else if (needless(contact.url)) contact.dueMs = nowMs + LONGEST_MS[contact.kind];
      else due.push(contact);
    }
    due.sort((a, b) => a.dueMs - b.dueMs);
    const taken = due.slice(0, Math.max(0, mostAtOnce(alone) - underWay));
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

  #bound(more: number): void {
    this.#former += more;
    if (this.#former <= MAX_FORMER) return;
    for (const { url, kind } of this.#contacts.values()) {
      if (kind !== 'former') continue;
      this.#contacts.delete(url);
      this.#former -= 1;
      return;
    }
  }
}

function mostAtOnce(alone: boolean): number {
  return alone ? AT_ONCE : 1;
}
