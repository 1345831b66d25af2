/**
 * Arrival: whether a node that starts has met anybody, may be alone, or cannot be let in.
 *
 * Invariants
 *  1. A node has joined once another member was in its view, and stays so.
 *  2. It may be alone where it was given nobody to find, or where all that it was given leads to itself.
 *  3. It is shut out where every address that it was given refuses it for a reason that does not pass by itself. An address
 *     that does not answer may yet do so: that ends no wait.
 *
 * Source: docs/lifecycle.md.
 */

import type { DialEnd, ErrorCode, GossipError } from '@grapevine/core';

import { Refusals } from './refusals.ts';

/** What trying again does not mend. */
const lasting: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'WRONG_CLUSTER',
  'KEY_MISMATCH',
  'KEY_REQUIRED',
  'VERSION_UNSPEAKABLE',
  'CERTIFICATE_REFUSED',
  'PLAINTEXT_REFUSED',
  'NAME_TAKEN',
]);
/** A former self may hold the name for a moment: it is taken by another once it was refused so often. */
const NAME_REFUSALS = 2;

interface Contact {
  /** How the last dial ended; `null` while none has. */
  outcome: DialEnd['outcome'] | null;
  error: GossipError | null;
  /** How often in a row it was refused. */
  refusals: number;
}

export type ArrivalState = 'seeking' | 'alone' | 'met' | GossipError;

export class Arrival {
  readonly refusals: Refusals;
  readonly #sources: number;
  /** Whether the membership was given seeds, peers or sources. */
  #seeks: boolean;
  #hasMet = false;
  /** Why the last dial came to nothing. */
  #failure: GossipError | undefined;
  /** Of the addresses that were dialled, until somebody was met. */
  readonly #contacts = new Map<string, Contact>();
  /** The sources that have found something. */
  readonly #found = new Set<number>();
  readonly #waiting = new Set<() => void>();

  constructor({
    clock,
    seeks,
    sources,
  }: {
    readonly clock: () => number;
    readonly seeks: boolean;
    readonly sources: number;
  }) {
    this.refusals = new Refusals(clock);
    this.#seeks = seeks;
    this.#sources = sources;
  }

  /** Whether others were configured or remembered. */
  get seeks(): boolean {
    return this.#seeks;
  }

  get state(): ArrivalState {
    if (this.#hasMet) return 'met';
    if (!this.#seeks) return 'alone';
    if (this.#found.size < this.#sources || this.#contacts.size === 0) return 'seeking';
    const others = [...this.#contacts.values()].filter(({ outcome }) => outcome !== 'self');
    if (others.length === 0) return 'alone';
    return others.every(isShut) ? (others[0]?.error ?? 'seeking') : 'seeking';
  }

  /** Why nobody has been met so far, as far as it is known. */
  get cause(): GossipError | undefined {
    return this.refusals.latest ?? this.#failure;
  }

  /** Addresses of others were remembered by a former process. */
  remembered(urls: readonly string[]): void {
    if (urls.length > 0) this.#seeks = true;
  }

  found(source: number, urls: readonly string[]): void {
    if (urls.length === 0) return;
    this.#found.add(source);
    this.changed();
  }

  dialling(urls: readonly string[]): void {
    if (this.#hasMet) return;
    for (const url of urls)
      if (!this.#contacts.has(url)) this.#contacts.set(url, { outcome: null, error: null, refusals: 0 });
  }

  ended({ url, outcome, error }: DialEnd): void {
    if (error !== undefined) this.#failure = error;
    const contact = this.#contacts.get(url);
    if (contact !== undefined) {
      const isRefusal = error !== undefined && lasting.has(error.code);
      contact.outcome = outcome;
      contact.error = error ?? null;
      contact.refusals = isRefusal ? contact.refusals + 1 : 0;
    }
    this.changed();
  }

  /** Another member is in view. */
  met(): void {
    if (this.#hasMet) return;
    this.#hasMet = true;
    this.#contacts.clear();
    this.changed();
  }

  /** Whoever waits shall look again. */
  changed(): void {
    for (const look of this.#waiting) look();
  }

  /** @returns how to hear of it no more */
  onChange(look: () => void): () => void {
    this.#waiting.add(look);
    return () => void this.#waiting.delete(look);
  }
}

function isShut({ error, refusals }: Contact): boolean {
  return error !== null && refusals >= (error.code === 'NAME_TAKEN' ? NAME_REFUSALS : 1);
}
