/**
 * The oracles of quiet times: when everything has healed, all must agree, and everything is checked anew from nothing.
 *
 * Invariants watched, by the numbers of docs/algorithm.md
 *  2. What a context has of an id is held where its newest has a value.
 *  3. `entropy` and `hybrid` replicas are equal by content and by sum; the newest value that is known anywhere is what
 *     all hold; sums are what a sum over everything gives.
 *  4. Nothing is held that the remover had seen, whose store lives.
 *  6. Of what is ephemeral readers see exactly what its node has written in its present life, if that is in view.
 *  6. Where there is no handler, readers see all. What is hidden and what readers see is counted as it is.
 *  3, too: a node that refuses large updates holds all that it takes, and knows of all but what it refused.
 *  9. No rumor is infective any more, nothing waits.
 */

import {
  addTerm,
  emptySum,
  isHidden,
  judgedValue,
  judgedView,
  epidemicStatus,
  hashDot,
  hashInterval,
  isNewer,
  outlives,
  type Replica,
  sameSum,
  tieOf,
  type Update,
  visible,
} from '@grapevine/core';
import type { Ledger } from '../ledger.ts';
import type { SimNode } from '../node.ts';
import type { Object as Objection } from '../violation.ts';

/** Whether all are equal by sum, of contexts and of what is live beyond any clock, but for what some refuse. */
export function areEqual(nodes: readonly SimNode[]): boolean {
  return differenceOf(nodes) === null;
}

/** In what they are not: see `areEqual`. */
export function differenceOf(nodes: readonly SimNode[]): string | null {
  const wide = wideOf(nodes);
  if (!areEqualBySum(wide, nodes)) return 'sums differ';
  if (wide.length === nodes.length) return null;
  const horizonMs = horizonOf(nodes);
  for (const node of nodes) {
    const lack = wide.includes(node) ? null : lackOf(node, wide[0] as SimNode, horizonMs);
    if (lack !== null) return `${node.name} ${lack}`;
  }
  return null;
}

/**
 * Those that take any update, or have refused none: what they know is what there is. A bound that nothing has reached makes no
 * difference, and where origins are forgotten, one node does so a little before another, whatever its bound is (rule 9).
 */
export function wideOf(nodes: readonly SimNode[]): readonly SimNode[] {
  let mostBytes = 0;
  for (const { nature } of nodes) mostBytes = Math.max(mostBytes, nature.maxUpdateBytes);
  return nodes.filter(({ nature, replica }) => nature.maxUpdateBytes === mostBytes || replica.refusals === 0);
}

/** In what a node that refuses large updates differs from one that takes all, beyond those; `null`: in nothing. */
function lackOf({ replica }: SimNode, wide: SimNode, horizonMs: number): string | null {
  const full = wide.replica;
  // What it has only been told, and by whom died since, it keeps to itself.
  if (!full.context.covers(replica.vouched(replica.context.dots()))) return `knows what ${wide.name} does not`;
  const lacking = replica.context.lacking(full.context.dots());
  if (!replica.refused.covers(lacking)) return `lacks dots that it has not refused`;
  for (const { origin, intervals } of lacking)
    for (let i = 0; i < intervals.length; i += 2)
      for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
        const update = full.store.byDot(origin, sequence);
        if (update === undefined || !isRefused(update, replica))
          return `has not learnt that ${sequence}.${origin.key}, which it refused, is over`;
      }
  const live = liveOf(replica, horizonMs);
  let count = 0;
  for (const [id, update] of liveOf(full, horizonMs)) {
    if (isRefused(update, replica)) continue;
    count++;
    const same = live.get(id);
    if (same === undefined || same.sequence !== update.sequence || same.origin.key !== update.origin.key)
      return `does not hold ${update.sequence}.${update.origin.key} of ${id}, which is not too large for it`;
  }
  return live.size === count ? null : `holds what is over elsewhere`;
}

function isRefused({ id, value }: Update, { maxUpdateBytes }: Replica): boolean {
  return id.length + (value?.length ?? 0) > maxUpdateBytes;
}

function areEqualBySum(nodes: readonly SimNode[], all: readonly SimNode[]): boolean {
  const [first, ...rest] = nodes as [SimNode, ...SimNode[]];
  const { sum } = first.replica.context;
  if (!rest.every(({ replica }) => sameSum(replica.context.sum, sum))) return false;
  const horizonMs = horizonOf(all);
  const live = first.replica.store.liveSum(horizonMs);
  return rest.every(({ replica }) => sameSum(replica.store.liveSum(horizonMs), live));
}

/** Later than what any node's own horizon can be. */
function horizonOf(nodes: readonly SimNode[]): number {
  let horizonMs = 0;
  for (const { nowMs, replica } of nodes) horizonMs = Math.max(horizonMs, nowMs + replica.maxDriftMs);
  return horizonMs;
}

/** What must be true of one replica at any time, but in the middle of a step. */
export function inspect(node: SimNode, object: Objection): void {
  const { replica } = node;
  const sum = emptySum();
  for (const { origin, intervals } of replica.context.origins())
    for (let i = 0; i < intervals.length; i += 2) {
      const [first, last] = [intervals[i] as number, intervals[i + 1] as number];
      addTerm(sum, 0, hashInterval(origin.seeds, first, last), 1);
      if (first > last || (i > 0 && first <= (intervals[i - 1] as number) + 1))
        object(2, 'intervals', `${node.name}: the intervals of ${origin.key} are not maximal`);
    }
  if (!sameSum(sum, replica.context.sum))
    object(3, 'sums', `${node.name}: the sum of its context is not its context's`);
  const live = emptySum();
  const horizonMs = node.nowMs + replica.maxDriftMs;
  let seen = 0;
  let before = 0;
  for (const update of replica.store) {
    if (update.arrival <= before) object(3, 'order', `${node.name}: ${update.id} is not in order of arrival`);
    before = update.arrival;
    if (outlives(update, horizonMs)) {
      addTerm(live, 0, hashDot(update.origin.seeds, update.sequence), 1);
    }
    if (replica.store.byDot(update.origin, update.sequence)?.arrival !== update.arrival)
      object(2, 'index', `${node.name}: ${update.id} is not found by its dot`);
    if (!replica.context.has(update.origin, update.sequence))
      object(2, 'stored-unclaimed', `${node.name} holds ${update.id}, which is not in its context`);
    const value = visible(update);
    if (value === undefined) continue;
    seen++;
    if (node.told.get(update.id) !== value)
      object(0, 'subscriber', `${node.name}: subscribers and readers disagree on ${update.id}`);
  }
  if (seen !== node.told.size)
    object(0, 'subscriber', `${node.name}: subscribers know ${node.told.size} ids, readers see ${seen}`);
  if (!sameSum(live, replica.store.liveSum(horizonMs)))
    object(3, 'sums', `${node.name}: the sum of what is live is not that of its live updates`);
}

/** What must be true of all together when everything has healed and come to rest. */
export function inspectAll(nodes: readonly SimNode[], ledger: Ledger, object: Objection): void {
  const wide = wideOf(nodes);
  const [first, ...rest] = wide as [SimNode, ...SimNode[]];
  const horizonMs = horizonOf(nodes);
  const live = liveOf(first.replica, horizonMs);
  for (const node of nodes) {
    const lack = wide.includes(node) ? null : lackOf(node, first, horizonMs);
    if (lack !== null) object(3, 'content', `${node.name} ${lack}`);
  }
  for (const { name, replica } of rest) {
    const other = liveOf(replica, horizonMs);
    if (other.size !== live.size)
      object(3, 'content', `${name} holds ${other.size} live ids, ${first.name} ${live.size}`);
    for (const [id, { origin, sequence }] of other) {
      const same = live.get(id);
      if (same === undefined || same.sequence !== sequence || same.origin.key !== origin.key)
        object(3, 'content', `${name} holds ${sequence}.${origin.key} of ${id}, and ${first.name} does not`);
    }
  }
  for (const { name, nature, replica, machine } of nodes) {
    const status = epidemicStatus(machine);
    if (status !== undefined && status.infective > 0)
      object(9, 'infective', `${name} still has ${status.infective} infective rumors`);
    if (machine.backlog > 0) object(9, 'backlog', `${name} still has ${machine.backlog} updates under judgement`);
    const { store } = replica;
    const hidden = [...store].filter(isHidden);
    const listed = new Set(Array.from(store.hidden(), ({ arrival }) => arrival));
    if (store.hiddenCount !== hidden.length || hidden.some(({ arrival }) => !listed.has(arrival)))
      object(6, 'hidden-count', `${name} counts ${store.hiddenCount} hidden updates, and hides ${hidden.length}`);
    const seen = [...replica.visible()].length;
    if (store.visibleCount !== seen)
      object(6, 'visible-count', `${name} counts ${store.visibleCount} ids that readers see, and they see ${seen}`);
    if (nature.habit !== null) continue;
    for (const update of store)
      if (judgedView(update) !== undefined) object(6, 'hidden', `${name} hides ${update.id}, and has no handler`);
  }
  for (const node of nodes) inspectTies(node, nodes, object);
  inspectLedger(nodes, ledger, object);
}

/** Whether readers see what is ephemeral while its writer lives, in the life in which it wrote it, and is in view; and only then. */
function inspectTies(node: SimNode, nodes: readonly SimNode[], object: Objection): void {
  const { name, members, replica } = node;
  for (const update of replica.store) {
    const value = judgedValue(update);
    const writer = tieOf(update);
    if (value === undefined || writer === undefined) continue;
    const home = nodes.find((other) => other.name === writer.name);
    const isThere =
      home !== undefined && home.isUp && writer.epoch >= home.life && (home === node || members.has(home.name));
    if (replica.get(update.id) === (isThere ? value : undefined)) continue;
    const what = `${update.id}, tied to ${writer.key}`;
    object(6, 'ephemeral', `${name} ${isThere ? 'hides' : 'shows'} ${what}, which is ${isThere ? '' : 'not '}there`);
  }
}

function liveOf(replica: Replica, horizonMs: number): Map<string, Update> {
  const live = new Map<string, Update>();
  for (const update of replica.store) if (outlives(update, horizonMs)) live.set(update.id, update);
  return live;
}

function inspectLedger(nodes: readonly SimNode[], ledger: Ledger, object: Objection): void {
  const { context, store } = (wideOf(nodes)[0] as SimNode).replica;
  const horizonMs = horizonOf(nodes);
  const living = new Set(nodes.map(({ replica }) => replica));
  for (const [id, writes] of ledger.ids()) {
    // A tombstone that was collected counts, even where its origin has been forgotten since; what its writer took back does not,
    // though peers may have claimed it while it was there.
    const known = writes.filter(
      ({ update: { origin, sequence }, collected, disowned }) =>
        !disowned && (collected || context.has(origin, sequence)),
    );
    const held = store.get(id);
    const final = held?.value === undefined ? undefined : held;
    let newest: Update | undefined;
    let isExpired = false;
    for (const { update, expired } of known) {
      if (newest !== undefined && !isNewer(update, newest)) continue;
      newest = update;
      isExpired = expired;
    }
    // Each clock ends a life by itself (rule 5): one that was ahead has ended it too early, and what it knew to be over is over.
    if (newest !== undefined && outlives(newest, horizonMs) && final === undefined && !isExpired)
      object(
        3,
        'newest-lost',
        `the newest value of ${id}, ${newest.sequence}.${newest.origin.key}, is known and held by nobody`,
      );
    if (final === undefined) continue;
    const newer = known.filter(({ update }) => isNewer(update, final));
    const made = ledger.find(final.origin, final.sequence);
    const remover = newer.find(
      ({ seen, replica }) => made !== undefined && seen.has(made) && replica !== null && living.has(replica),
    );
    if (remover !== undefined)
      object(
        4,
        'came-back',
        `${id}, ${final.sequence}.${final.origin.key}, came back: the writer of ${remover.update.sequence}.${remover.update.origin.key} had seen it`,
      );
    if (newer.length > 0 && newer.every(({ update }) => update.value !== undefined && update.expiresAt === undefined))
      object(1, 'older-held', `${id} is held as ${final.sequence}.${final.origin.key}, and a newer value is known`);
  }
}
