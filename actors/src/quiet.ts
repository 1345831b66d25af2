/**
 * Waiting until the peers have fallen silent: what a node that leaves can do to let exchanges under way come to their end.
 *
 * Source: docs/algorithm.md, rule 3: silence means that nothing is missing.
 */

import type { Node } from './node.ts';
import { time } from './kernel/time.ts';

export interface QuietOptions {
  /** So long nothing must come in or go out, in milliseconds. */
  readonly quietMs: number;
  /** The longest wait, in milliseconds. */
  readonly timeoutMs: number;
}

export async function quiet(node: Node, { quietMs, timeoutMs }: QuietOptions): Promise<void> {
  let before = traffic(node);
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += quietMs) {
    await new Promise<void>((resolve) => time.setTimeout(resolve, quietMs));
    const now = traffic(node);
    if (now === before) return;
    before = now;
  }
}

function traffic(node: Node): number {
  let messages = 0;
  for (const { received, outbox } of node.holdings.values()) messages += received + outbox.sent;
  return messages;
}
