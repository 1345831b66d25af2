/**
 * What an all-knowing observer writes down of a history, and what it objects to.
 *
 * Invariants that it watches
 *  1. Nobody drops a live update unless a newer write of its id exists, or its time is up.
 *  2. Nobody is sent a value, in a chunk, that its told context had.
 *  3. The changes that a node told are exactly what its readers see.
 *  4. In the end the newest value that is known anywhere is what all hold, unless it was removed or has expired;
 *     and nothing is held that the writer of a newer removal or expiring write had seen, while its store lives. Seen
 *     is what was in its context: a write that only a superseded value's writer had seen may return.
 */
import { Context, isNewer, type Message, type Replica, type Update, visible } from '@grapevine/core';
import { dotOf, type Network, type Node } from './network.ts';

interface Written {
  readonly update: Update;
  /** Dots of the same id that the writer had seen. */
  readonly seen: ReadonlySet<string>;
  /** In which it was written. */
  readonly store: Replica;
}

export class Chronicle {
  readonly violations: string[] = [];
  readonly #writes = new Map<string, Written[]>();
  /** Per receiver and sender, the last invitation and the context it told. */
  readonly #invitations = new Map<string, { readonly invitation: number; readonly context: Context }>();

  object(violation: string): void {
    if (this.violations.length < 5) this.violations.push(violation);
  }

  wrote(node: Node, updates: readonly Update[]): void {
    for (const update of updates) {
      const writes = this.#writes.get(update.id) ?? [];
      const { context } = node.replica;
      const seen = writes.filter(({ update: { origin, sequence } }) => context.has(origin, sequence));
      writes.push({
        update,
        seen: new Set(seen.map((write) => dotOf(write.update))),
        store: node.replica,
      });
      this.#writes.set(update.id, writes);
    }
  }

  /** Objects to a drop of what nobody has superseded, removed or let expire. */
  watch(node: Node, replica: Replica): void {
    const drop = replica.drop.bind(replica);
    replica.drop = (update) => {
      const latestMs = Math.max(...node.network.all.map(({ nowMs }) => nowMs));
      const isOver = update.expiresAt !== undefined && update.expiresAt <= latestMs;
      const writes = this.#writes.get(update.id) ?? [];
      if (!isOver && !writes.some((write) => isNewer(write.update, update)))
        this.object(`${node.name} dropped the newest write of ${update.id}, ${dotOf(update)}`);
      drop(update);
    };
  }

  sent(from: Node, to: Node, message: Message): void {
    if (message.type === 'contexts' && message.invitation > 0)
      this.#invitations.set(`${from.name} ${to.name}`, {
        invitation: message.invitation,
        context: Context.of(message.dots),
      });
    if (message.type !== 'chunk') return;
    const invited = this.#invitations.get(`${to.name} ${from.name}`);
    if (invited?.invitation !== message.invitation) return;
    for (const update of message.updates)
      if (invited.context.has(update.origin, update.sequence))
        this.object(`${from.name} sent ${to.name} ${update.id}, ${dotOf(update)}, which it had said it has`);
  }

  /** What a subscriber was told against what a reader sees. */
  compareTold(node: Node): void {
    const told = node.told;
    let count = 0;
    for (const update of node.replica.visible()) {
      count++;
      if (told.get(update.id) !== visible(update)) {
        this.object(`${node.name} told ${String(told.get(update.id))} of ${update.id}, readers see ${visible(update)}`);
        return;
      }
    }
    if (count !== told.size) this.object(`${node.name} told of ${told.size} ids, readers see ${count}`);
  }

  /** The last judgement, when all should be equal. */
  judge(network: Network): void {
    const [first, ...rest] = network.all as [Node, ...Node[]];
    const content = JSON.stringify(first.live);
    for (const node of rest)
      if (JSON.stringify(node.live) !== content)
        this.object(`${node.name} holds ${JSON.stringify(node.live)}, ${first.name} holds ${content}`);
    for (const node of network.all) this.compareTold(node);
    const { context, store } = first.replica;
    for (const [id, writes] of this.#writes) {
      const known = writes.filter(({ update: { origin, sequence } }) => context.has(origin, sequence));
      const held = store.get(id);
      const final = held?.value === undefined ? undefined : held;
      let newest: Update | undefined;
      for (const { update } of known) if (newest === undefined || isNewer(update, newest)) newest = update;
      if (newest !== undefined && newest.value !== undefined && newest.expiresAt === undefined && final === undefined)
        this.object(`the newest value of ${id}, ${dotOf(newest)}, is known and held by nobody`);
      if (final === undefined) continue;
      const newer = known.filter(({ update }) => isNewer(update, final));
      const living = new Set(network.all.map(({ replica }) => replica));
      const remover = newer.find(
        ({ update, seen, store: writer }) =>
          (update.value === undefined || update.expiresAt !== undefined) &&
          seen.has(dotOf(final)) &&
          living.has(writer),
      );
      if (remover !== undefined)
        this.object(`${id}, ${dotOf(final)}, came back: the writer of ${dotOf(remover.update)} had seen it`);
      if (newer.length > 0 && newer.every(({ update }) => update.value !== undefined && update.expiresAt === undefined))
        this.object(`${id} is held as ${dotOf(final)}, and a newer value is known`);
    }
  }
}
