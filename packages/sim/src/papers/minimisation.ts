/**
 * Minimisation: where both sites of a call know the rumor, only the one with the smaller counter loses interest, or both
 * if their counters are equal.
 *
 * The paper has it for push and pull together. Our machines do not tell each other their counters, so it is no option of
 * the protocol; here the network keeps the counters by what it carries, and holds back the feedback that the rule forbids.
 *
 * Invariants
 *  1. Counters are compared as of the start of the cycle.
 *  2. A site that has lost interest counts as one with no counter at all: it holds nothing back.
 *
 * Source: Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987, section 1.4, "Minimization".
 */

import type { Feedback } from '@grapevine/core';
import type { Site } from './site.ts';

/** What a site's calls of one cycle came to. */
interface Outcome {
  /** Useless answers to its own call. */
  useless: number;
  /** Whether those who called it knew, and whether any of them did not: one useless push at most (the footnote on pull). */
  pulledKnown: boolean;
  news: boolean;
}

export class Minimisation {
  readonly #resets: boolean;
  readonly #counters: Float64Array;
  readonly #outcomes = new Map<number, Outcome>();

  /** @param resets whether news reset the counter */
  constructor(nodes: number, resets: boolean) {
    this.#resets = resets;
    this.#counters = new Float64Array(nodes);
  }

  /** A new rumor: all counters are 0. */
  begin(): void {
    this.#counters.fill(0);
    this.#outcomes.clear();
  }

  /**
   * Counts a site's feedback to another.
   * @param called whether the receiver had called
   * @returns whether it is to be carried
   */
  carries(from: Site, to: Site, { known, news }: Feedback, called: boolean): boolean {
    if (known.length > 0 && from.isInfective && this.#counterOf(to) > this.#counterOf(from)) return false;
    let outcome = this.#outcomes.get(to.index);
    if (outcome === undefined) {
      outcome = { useless: 0, pulledKnown: false, news: false };
      this.#outcomes.set(to.index, outcome);
    }
    if (news.length > 0) outcome.news = true;
    else if (called) outcome.useless++;
    else outcome.pulledKnown = true;
    return true;
  }

  endCycle(): void {
    for (const [index, { useless, pulledKnown, news }] of this.#outcomes) {
      const before = news && this.#resets ? 0 : (this.#counters[index] as number);
      this.#counters[index] = before + useless + (pulledKnown && !news ? 1 : 0);
    }
    this.#outcomes.clear();
  }

  #counterOf(site: Site): number {
    return this.#counters[site.index] as number;
  }
}
