/**
 * Where nodes may be found: a URL, a `Discovery`, or a plain function that knows some.
 *
 * Invariants
 *  1. A function that throws is a question that failed, as one that rejects is: it harms nobody who asks.
 */

import type { Discovery, GossipError } from '@grapevine/core';

/** A plain source: asked anew at every attempt to join. */
export type FindUrls = () => readonly string[] | Promise<readonly string[]>;

/** One entry of a list of seeds. */
export type Seed = string | Discovery | FindUrls;

/** A source that can find something and still have something to say. */
export interface ReportingDiscovery extends Discovery {
  /** What was wrong with the newest find that did not stop it; each as often as it stays wrong. */
  problems(): readonly GossipError[];
}

export function reports(source: Discovery): source is ReportingDiscovery {
  return typeof (source as Partial<ReportingDiscovery>).problems === 'function';
}

/** A function as a source that is called by the function's name; what is a source already stays as it is. */
export function asDiscovery(source: Discovery | FindUrls): Discovery {
  if (typeof source !== 'function') return source;
  const name = source.name === '' ? 'function' : `function ${source.name}`;
  // Being async turns a throw into a rejection.
  return { name, find: async () => source() };
}
