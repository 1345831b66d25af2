/**
 * Leaving: bringing what was written here to somebody else, and saying what nobody has.
 *
 * Invariants
 *  1. A node that may meet others waits until a connected peer is known to have each of its writes, up to the deadline; one
 *     that was given nobody to find, and has nobody to hope for, waits for nobody.
 *  2. What is reported as undelivered was known of no connected peer when the node, or the instance, stopped.
 *
 * Source: docs/lifecycle.md; core's `deliveries.ts` has what is known of whom.
 */

import { GossipError } from '@grapevine/core';

import type { Holding } from './holding.ts';
import type { InstanceMessage } from './instance-messages.ts';
import { isGone, statsOf, tell } from './kernel/actor.ts';
import { ask } from './kernel/ask.ts';
import type { Ref } from './kernel/nact.ts';
import type { LeaveOptions, LeaveReport } from './leave-report.ts';
import type { Node } from './node.ts';
import { time } from './kernel/time.ts';

/** How long what waits in the mailboxes may take in any case, in milliseconds. */
const FLUSH_MS = 1000;
/** The first and the longest pause between two questions to the peers, in milliseconds. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 250;

/** Has all that was sent to these instances done, and waits until peers have what was written. Never rejects. */
export async function deliver(node: Node, holdings: readonly Holding[], deadlineMs: number): Promise<void> {
  const endMs = time.monotonicMs() + deadlineMs;
  const flush = (replyTo: Ref<true>): InstanceMessage => ({ type: 'flush', replyTo, whenJudged: false });
  const judged = (replyTo: Ref<true>): InstanceMessage => ({ type: 'flush', replyTo, whenJudged: true });
  const flushMs = Math.min(Math.max(FLUSH_MS, deadlineMs), 2 ** 31 - 1);
  await Promise.all(
    holdings.map(async ({ ref, instance, writes }) => {
      try {
        await ask(ref, flush, { timeoutMs: flushMs });
      } catch {
        // What it has no time for is lost: most of it are writes, as little else comes by the thousand.
        const unread = statsOf(ref)?.queued ?? 0;
        if (unread > 0) node.abandoned.set(instance, (node.abandoned.get(instance) ?? 0) + unread);
      }
      const leftMs = Math.min(endMs - time.monotonicMs(), 2 ** 31 - 1);
      // What the handler has not judged by then is counted with what is undelivered.
      if (writes.length > 0 && leftMs > 0) await ask(ref, judged, { timeoutMs: leftMs }).catch(() => {});
    }),
  );
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    const waiting = holdings.filter((holding) => !isGone(holding.ref) && (holding.undelivered() ?? 0) > 0);
    const leftMs = endMs - time.monotonicMs();
    if (waiting.length === 0 || !mayMeetOthers(node)) return;
    if (leftMs <= 0) return warnOfNoParty(node, waiting);
    for (const { ref } of waiting) tell(ref, { type: 'confirm' });
    await new Promise<void>((resolve) => time.setTimeout(resolve, Math.min(pauseMs, leftMs)));
  }
}

/** Says of instances that no connected node runs, which no refusal tells: most often one side has another name. */
function warnOfNoParty({ lines, options: { logger, name } }: Node, waiting: readonly Holding[]): void {
  if (lines.size === 0) return;
  for (const { instance, peers } of waiting)
    if (peers.size === 0)
      logger.warn(
        { node: name, gossip: instance },
        `no connected node runs the gossip '${instance}', so nobody takes its writes: give both sides the same name (gossip(), --gossip)`,
      );
}

/** Whether anybody may yet take what is here: is connected or known, or was configured and can be found. */
function mayMeetOthers({ arrival, lines, members, roster }: Node): boolean {
  if (lines.size > 0 || members.length > 0 || roster.some(({ state }) => state === 'down')) return true;
  const { state } = arrival;
  return arrival.seeks && state !== 'alone';
}

/** What is, or was at its end, undelivered of a node's instances. */
export function reportOf(node: Node): LeaveReport {
  const gossips: Record<string, number> = {};
  const unknown: string[] = [];
  const running = Array.from(node.holdings, ([name, holding]) => [name, holding.undelivered()] as const);
  for (const [instance, undelivered] of [...node.abandoned, ...running]) {
    if (undelivered === undefined) unknown.push(instance);
    else if (undelivered > 0) gossips[instance] = (gossips[instance] ?? 0) + undelivered;
  }
  const undelivered = Object.values(gossips).reduce((sum, count) => sum + count, 0);
  return { undelivered, gossips, unknown };
}

/** @throws GossipError UNDELIVERED, when that is asked for and something was not delivered */
export function checkReport(report: LeaveReport, what: string, { required = false }: LeaveOptions): LeaveReport {
  if (required && report.undelivered > 0) throw undeliveredError(report, what);
  return report;
}

export function undeliveredError({ undelivered, gossips }: LeaveReport, what: string): GossipError {
  const where = Object.entries(gossips).map(([name, count]) => `${count} in '${name}'`);
  return new GossipError(
    'UNDELIVERED',
    `${what} has stopped, and no other node is known to have ${undelivered === 1 ? 'a write' : `${undelivered} writes`} of it (${where.join(', ')}). See status().refusals and the log for why no peer took them; give leave() a longer deadlineMs (--leave-within) where peers are slow or start late.`,
    { stateChanged: true, context: { undelivered, gossips } },
  );
}
