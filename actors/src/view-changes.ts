/**
 * What is different between two views of the members, as events.
 *
 * Invariants
 *  1. Who takes the events from the first view on has the names, epochs and what they say of themselves of the second.
 *  2. A member that was started anew has gone and come.
 */

import { isThere, type Member, type MemberStatus, sameMeta } from '@grapevine/core';

export type ViewChangeType = 'nodeup' | 'nodedown' | 'nodeleft' | 'nodechanged';

export interface ViewChange {
  readonly type: ViewChangeType;
  readonly member: Member;
}

export function viewChanges(before: readonly MemberStatus[], now: readonly MemberStatus[]): ViewChange[] {
  const changes: ViewChange[] = [];
  const former = new Map<string, MemberStatus>();
  for (const member of before) if (isThere(member)) former.set(member.name, member);
  const arrivals: ViewChange[] = [];
  for (const member of now) {
    const known = former.get(member.name);
    if (known === undefined) {
      if (isThere(member)) arrivals.push({ type: 'nodeup', member });
      continue;
    }
    former.delete(member.name);
    if (!isThere(member)) changes.push({ type: member.state === 'left' ? 'nodeleft' : 'nodedown', member });
    else if (member.epoch !== known.epoch) {
      changes.push({ type: 'nodedown', member: known });
      arrivals.push({ type: 'nodeup', member });
    } else if (member.url !== known.url || !sameMeta(member.meta ?? {}, known.meta ?? {}))
      arrivals.push({ type: 'nodechanged', member });
  }
  for (const member of former.values()) changes.push({ type: 'nodedown', member });
  return [...changes, ...arrivals];
}
