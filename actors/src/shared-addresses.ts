/**
 * Shared addresses: nodes of different names that advertise one URL. Whoever dials it reaches one of them alone.
 *
 * Invariants
 *  1. Each address is said once, for as long as it is shared.
 */

import type { MemberStatus } from '@grapevine/core';

type Addressed = Pick<MemberStatus, 'name' | 'url'>;

export interface SharedAddress {
  readonly url: string;
  /** In the order of the alphabet. */
  readonly names: readonly string[];
}

export class SharedAddresses {
  #said = new Set<string>();

  /** Those that were not said before. A URL counts as it was advertised: it is the same for all whom one balancer serves. */
  news(own: Addressed, roster: readonly MemberStatus[]): SharedAddress[] {
    const shared = sharedBy(own, roster);
    const news = [...shared].filter(([url]) => !this.#said.has(url));
    this.#said = new Set(shared.keys());
    return news.map(([url, names]) => ({ url, names: names.toSorted() }));
  }
}

/**
 * Whom each address leads to, where that is more than one. Of the others only those count that answer: another node may take
 * the address of one that has ended.
 */
export function sharedBy(own: Addressed, roster: readonly MemberStatus[]): Map<string, string[]> {
  const firsts = new Map<string, string>();
  const shared = new Map<string, string[]>();
  const note = ({ name, url }: Addressed): void => {
    if (url === null) return;
    const first = firsts.get(url);
    if (first === undefined) firsts.set(url, name);
    else shared.set(url, [...(shared.get(url) ?? [first]), name]);
  };
  note(own);
  for (const member of roster) if ((member.state ?? 'alive') === 'alive') note(member);
  return shared;
}
