/**
 * Suspicion: a node that does not answer is given time to refute, the less, the more others suspect it as well.
 *
 * Invariants
 *  1. The time lies between the minimum and the maximum, and never grows by a confirmation.
 *  2. Who accuses twice confirms nothing.
 *
 * Source: Dadgar, Phillips, Currey, "Lifeguard: Local Health Awareness for More Accurate Failure Detection", DSN-W 2018,
 * section IV-B; SWIM, section 4.2.
 */

import { MAX_ACCUSERS } from './messages.ts';
import type { SwimOptions } from './options.ts';

export interface SuspicionTimes {
  readonly minMs: number;
  readonly maxMs: number;
  /** So many confirmations bring the time to its minimum. */
  readonly wanted: number;
}

/** @param nodes how many there are, this one included */
export function suspicionTimes(
  { suspicionMult, suspicionMaxMult, probeInterval }: SwimOptions,
  nodes: number,
): SuspicionTimes {
  const minMs = suspicionMult * Math.max(1, Math.log10(nodes)) * probeInterval;
  // Two cannot confirm: the accuser and the suspect itself.
  const possible = nodes - 2;
  // A record with more accusers is none.
  const wanted = Math.max(0, Math.min(suspicionMult - 2, MAX_ACCUSERS - 1));
  return { minMs, maxMs: suspicionMaxMult * minMs, wanted: possible < wanted ? 0 : wanted };
}

export class Suspicion {
  readonly #times: SuspicionTimes;
  readonly #sinceMs: number;
  readonly #accusers: Set<string>;
  #deadlineMs: number;

  /** @param nowMs on a clock that stands still while this process does */
  constructor(times: SuspicionTimes, accusers: readonly string[], nowMs: number) {
    this.#times = times;
    this.#sinceMs = nowMs;
    this.#accusers = new Set(accusers);
    this.#deadlineMs = this.#deadline();
  }

  /** When the suspect is declared down, on the same clock. Looked at with every input. */
  get deadlineMs(): number {
    return this.#deadlineMs;
  }

  #deadline(): number {
    const { minMs, maxMs, wanted } = this.#times;
    if (wanted === 0) return this.#sinceMs + minMs;
    const confirmations = Math.min(wanted, Math.max(0, this.#accusers.size - 1));
    const share = Math.log(confirmations + 1) / Math.log(wanted + 1);
    return this.#sinceMs + Math.max(minMs, maxMs - (maxMs - minMs) * share);
  }

  /** Those who accuse it; more than needed are not kept. */
  get accusers(): readonly string[] {
    return [...this.#accusers];
  }

  /** @returns whether somebody new accuses, and it counts */
  confirm(accusers: readonly string[]): boolean {
    const before = this.#accusers.size;
    for (const accuser of accusers) if (this.#accusers.size <= this.#times.wanted) this.#accusers.add(accuser);
    if (this.#accusers.size === before) return false;
    this.#deadlineMs = this.#deadline();
    return true;
  }
}
