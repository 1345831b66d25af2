/**
 * Whom to dial, and when again: for ever, with exponential backoff and full jitter.
 *
 * Invariants
 *  1. Every target is in exactly one state: dialling, waiting for its next try, or resting because the node that it
 *     leads to is connected.
 *  2. What a URL leads to is learnt with every connection and forgotten with its end: addresses change hands.
 *  3. After `stop` no timer is left and no dial under way.
 *
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (full jitter).
 */

import type { UrlSource } from '@grapevine/core';

export interface Target {
  /** As the caller wrote it. */
  readonly url: string;
  /** The spelling that is compared. */
  readonly canonicalUrl: string;
  readonly source: UrlSource;
  /** The name of the node that answered there last; null while that is not known. */
  leadsTo: string | null;
}

export interface RedialDetails {
  readonly minMs: number;
  readonly maxMs: number;
  readonly random: () => number;
  readonly setTimer: (delayMs: number, run: () => void) => () => void;
  readonly isConnected: (name: string) => boolean;
  /** Starts a dial, whose end is told by `failed`, `superfluous` or `connected`. @returns a function that gives up */
  readonly dial: (target: Target) => () => void;
}

interface Entry extends Target {
  attempts: number;
  /** Ends the wait or the dial that is under way; null while resting. */
  cancel: (() => void) | null;
}

export class Redial {
  readonly #details: RedialDetails;
  readonly #entries = new Map<string, Entry>();

  constructor(details: RedialDetails) {
    this.#details = details;
  }

  /** Replaces the set of targets; new ones are dialled at once. */
  replace(targets: readonly Target[]): void {
    const wanted = new Map(targets.map((target) => [target.canonicalUrl, target]));
    for (const [url, entry] of this.#entries) {
      if (wanted.has(url)) continue;
      this.#entries.delete(url);
      entry.cancel?.();
    }
    for (const [url, target] of wanted) {
      if (this.#entries.has(url)) continue;
      const entry: Entry = { ...target, attempts: 0, cancel: null };
      this.#entries.set(url, entry);
      this.#try(entry);
    }
  }

  stop(): void {
    this.replace([]);
  }

  /**
   * A dial ended without a session.
   * @returns after how many milliseconds it is tried again
   */
  failed(target: Target): number {
    const entry = this.#entries.get(target.canonicalUrl);
    if (entry === undefined) return Number.POSITIVE_INFINITY;
    return this.#retry(entry);
  }

  /** A dial ended because the pair has, or is about to have, another connection with the node of this name. */
  superfluous(target: Target, name: string): void {
    const entry = this.#entries.get(target.canonicalUrl);
    if (entry === undefined) return;
    entry.leadsTo = name;
    // If the other connection comes to nothing after all, this try finds out.
    if (this.#details.isConnected(name)) entry.cancel = null;
    else this.#retry(entry);
  }

  /**
   * A session with the peer is open, by whichever dial; its targets rest.
   * @param peer with the canonical URLs that are known to lead to it
   * @param by the target that was dialled, null where this was no dial of ours
   */
  connected(peer: { readonly name: string; readonly canonicalUrls: readonly string[] }, by: Target | null): void {
    for (const url of peer.canonicalUrls) {
      const entry = this.#entries.get(url);
      if (entry !== undefined) entry.leadsTo = peer.name;
    }
    if (by === null) return;
    const entry = this.#entries.get(by.canonicalUrl);
    if (entry !== undefined) entry.cancel = null;
  }

  /**
   * The session with a peer has ended: all that led to it is dialled again.
   * @param stable whether it stood so long that the backoff starts anew
   */
  lost(name: string, stable: boolean): void {
    for (const entry of this.#entries.values()) {
      if (entry.leadsTo !== name) continue;
      entry.leadsTo = null;
      if (stable) entry.attempts = 0;
      if (entry.cancel === null) this.#retry(entry);
    }
  }

  #try(entry: Entry): void {
    entry.cancel = null;
    if (entry.leadsTo !== null && this.#details.isConnected(entry.leadsTo)) return;
    entry.cancel = this.#details.dial(entry);
  }

  #retry(entry: Entry): number {
    const { minMs, maxMs, random, setTimer } = this.#details;
    // The exponent is held where 2 ** n is still exact; the maximum has long been reached there.
    const ceilingMs = Math.min(maxMs, minMs * 2 ** Math.min(entry.attempts++, 30));
    const delayMs = random() * ceilingMs;
    entry.cancel = setTimer(delayMs, () => this.#try(entry));
    return delayMs;
  }
}
