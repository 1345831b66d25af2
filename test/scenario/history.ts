/**
 * A random history: what a seed makes of some nodes, and whether they end as they should.
 *
 * Nodes write, remove, expire, hide, lose connections, instances and stores; then everything heals, and what should
 * hold is checked by the chronicle: equal by content and by hash, and then silent.
 */
import {
  below,
  type Bytes,
  type GossipError,
  type Message,
  type Offer,
  Origin,
  type Protocol,
  type Random,
  seededRandom,
  Update,
  keepAll,
} from '@grapevine/core';
import { Chronicle } from './chronicle.ts';
import { type Judgement, Network, type NetworkOptions, type Node, START_MS, text } from './network.ts';

export interface HistoryOptions {
  readonly seed: number;
  readonly protocol: (choice: ProtocolChoice) => Protocol;
  readonly carry?: NetworkOptions['carry'];
  /** Stores are lost in this history, and with them what only their nodes had seen. @default true */
  readonly lossy?: boolean;
  /** What is special about the world. @default drawn from the seed */
  readonly world?: World;
}

/** What a history leaves to its seed in the world around the nodes. */
export interface World {
  /** How many nodes others can dial; the rest only dial, and reach each other through those. `Infinity`: a mesh. */
  readonly hubs: number;
  /** How many ids every node but the first has room for. No store is lost where this is bounded. */
  readonly maxIds: number;
  /** Handlers fail on some values, and decide on parts of what they are offered. */
  readonly failing: boolean;
}

/** A mesh of nodes that have room for everything. */
export const plainWorld: World = { hubs: Infinity, maxIds: Infinity, failing: false };

/** What a history leaves to its seed in the options of its protocol. */
export interface ProtocolChoice {
  readonly tombstoneTtl: number;
  readonly direction: 'push' | 'pull' | 'push-pull';
  readonly level: number;
}

export interface HistoryReport {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Milliseconds from the healing to equality. */
  readonly healedMs: number;
  /** Messages by type. */
  readonly messages: Readonly<Record<string, number>>;
}

const MAX_DRIFT_MS = 1000;
const WORLD_SEEDS = 0x10000000;
/** Long enough for every expiry and every withdrawn invitation. */
const HEALING_MS = 180000;

/** Drawn apart from the steps, so that a seed means the same steps in any world. */
function drawWorld(seed: number): World {
  const random = seededRandom(seed + WORLD_SEEDS);
  return {
    hubs: random() < 0.3 ? 1 + below(random, 2) : Infinity,
    maxIds: random() < 0.3 ? 1 + below(random, 4) : Infinity,
    failing: random() < 0.5,
  };
}

export function runHistory(options: HistoryOptions): HistoryReport {
  const { seed, protocol, carry, lossy = true, world = drawWorld(options.seed) } = options;
  const random = seededRandom(seed);
  const chance = (share: number): boolean => random() < share;
  const pick = <T>(items: readonly T[]): T => items[below(random, items.length)] as T;

  const chronicle = new Chronicle();
  const messages: Record<string, number> = {};
  let isQuiet = false;
  const slow = chance(0.3) ? 200 : 20;
  const skewed = chance(0.5);
  const judging = chance(0.4);
  const heavy = chance(0.25);
  const crowded = chance(0.06);
  const isCramped = !crowded && world.maxIds < Infinity;
  // What was refused and is lost with the last store that held it is awaited for `forgetAfter`.
  const isLossy = lossy && !isCramped;
  const network = new Network({
    seed,
    protocol: protocol({
      tombstoneTtl: pick([0, 300, 2000, 3600000]),
      direction: pick(['push-pull', 'push-pull', 'push', 'pull'] as const),
      level: pick([1, 1, 2, 0]),
    }),
    replica: { maxDriftMs: MAX_DRIFT_MS },
    latencyMs: (chosen) => 1 + below(chosen, slow),
    views: world.hubs < Infinity,
    ...(carry === undefined ? {} : { carry }),
    onReplica: (node, replica) => chronicle.watch(node, replica),
    onFresh: (node, updates) => chronicle.wrote(node, updates),
    onSend: (from, to, message) => {
      messages[message.type] = (messages[message.type] ?? 0) + 1;
      chronicle.sent(from, to, message);
      if (isQuiet && !isIdle(message)) chronicle.object(`${from.name} is not silent: it sends ${message.type}`);
    },
  });
  network.recording = false;

  const nodes = Array.from({ length: 3 + below(random, 3) }, (_, i) =>
    network.node(String.fromCharCode(97 + i), {
      skewMs: skewed ? below(random, MAX_DRIFT_MS) - MAX_DRIFT_MS / 2 : 0,
      ...(judging && chance(0.6) ? { judge: (offer: Offer) => judgement(random, offer, world.failing) } : {}),
      dialsOnly: i >= world.hubs,
      // The first has room for everything: it makes room for the others in the end.
      ...(i > 0 && isCramped ? { replica: { maxIds: world.maxIds } } : {}),
    }),
  );
  if (crowded) crowd(random, nodes, chronicle);
  if (chance(0.7)) network.connectAll();

  const ids = Array.from({ length: heavy ? 24 : 5 }, (_, i) => `id${i}`);
  let written = 0;
  const valueOf = (): string => `v${++written}`;
  const write = (node: Node): void => {
    const value = heavy ? padded(valueOf()) : text(valueOf());
    const expiresAt = chance(0.2) ? node.nowMs + below(random, 4000) : undefined;
    node.step(() => {
      try {
        node.replica.write(pick(ids), value, expiresAt, node.nowMs);
      } catch (error) {
        if (!isCramped || (error as GossipError).code !== 'STORE_FULL') throw error;
      }
    });
  };
  const steps = 10 + below(random, 60);
  for (let step = 0; step < steps; step++) {
    const node = pick(nodes);
    const other = pick(nodes);
    const dice = random();
    if (dice < 0.38) {
      for (let i = chance(0.2) ? 10 : 1; i > 0; i--) if (node.stopped === null) write(node);
    } else if (dice < 0.55) {
      if (node.stopped === null) node.remove(pick(ids));
    } else if (dice < 0.67) {
      network.cut(node, other);
    } else if (dice < 0.72) {
      network.isolate(node);
    } else if (dice < 0.85) {
      network.connect(node, other);
    } else if (dice < 0.89) {
      node.continue();
      node.crash();
    } else if (dice < 0.91) {
      if (isLossy) {
        node.continue();
        if (chance(0.5)) network.isolate(node);
        node.loseStore();
      }
    } else if (dice < 0.94) {
      node.stop();
    } else {
      node.continue();
    }
    network.run(chance(0.3) ? 0 : below(random, chance(0.1) ? 3000 : 300));
    for (const each of nodes) if (each.stopped === null) chronicle.compareTold(each);
  }

  for (const node of nodes) node.continue();
  network.connectAll();
  // What expires is in no hash: let it go first, so that equal hashes mean equal content.
  network.run(4000 + 3 * MAX_DRIFT_MS);
  if (isCramped) for (const id of ids.slice(world.maxIds)) (nodes[0] as Node).remove(id);
  let healedMs = 4000 + 3 * MAX_DRIFT_MS;
  for (; healedMs < HEALING_MS && !network.isEqual; healedMs += 250) network.run(250);
  if (!network.isEqual) chronicle.object('the nodes did not end equal by hash');
  network.run(2000);
  isQuiet = true;
  network.run(4000);
  isQuiet = false;
  chronicle.judge(network);
  return { seed, violations: chronicle.violations, healedMs, messages };
}

/** What may pass between nodes that are equal. */
function isIdle(message: Message): boolean {
  return message.type === 'hashes' || message.type === 'pull';
}

/** A value so large that it fills a chunk, as MessagePack (bin 16). */
function padded(content: string): Bytes {
  const length = 30000;
  return `\xc5${String.fromCharCode(length >> 8, length & 255)}${content.padEnd(length, '.')}`;
}

/** More origins and more ids than are told at once, known to most nodes from the beginning. */
function crowd(random: Random, nodes: readonly Node[], chronicle: Chronicle): void {
  for (let o = 0; o < 70; o++) {
    const updates = Array.from({ length: 8 }, (_, i) => ({
      id: `crowd${o}.${i}`,
      stamp: 4096 * 1000 + o,
      sequence: i + 1,
    }));
    const make = (): Update[] =>
      updates.map(
        ({ id, stamp, sequence }) =>
          new Update(id, text('x'), stamp, new Origin(`z${o}`, START_MS), sequence, undefined),
      );
    nodes.forEach((node, n) => {
      if (n > 0 && random() < 0.1) return;
      if (n === 0) chronicle.wrote(node, make());
      node.step(() => node.replica.admit(make(), keepAll, node.nowMs));
    });
  }
}

function judgement(random: Random, offer: Offer, failing: boolean): Judgement {
  return failing ? inPart(random, offer, judgementOfAll(random, offer)) : judgementOfAll(random, offer);
}

/** What a handler settles that throws on some values: all before the first of these, or that one, which it gives up. */
function inPart(random: Random, { updates }: Offer, { verdict, delayMs }: Judgement): Judgement {
  const failing = updates.findIndex(({ value }) => (value as Bytes).endsWith('7'));
  if (failing === 0) return { verdict: { type: 'dead', count: 1 }, delayMs };
  const most = failing < 0 ? updates.length : failing;
  const count = random() < 0.5 ? most : 1 + below(random, most);
  if (verdict.type !== 'keep' && verdict.type !== 'reset') return { verdict: { ...verdict, count }, delayMs };
  // It knows of no more than what it was given.
  const kept = new Map<string, Bytes>();
  for (const { id } of updates.slice(0, count)) {
    const value = verdict.kept.get(id);
    if (value !== undefined) kept.set(id, value);
  }
  return { verdict: { ...verdict, kept, count }, delayMs };
}

function judgementOfAll(random: Random, offer: Offer): Judgement {
  const delayMs = random() < 0.5 ? 0 : below(random, 300);
  const kept = new Map<string, Bytes>();
  for (const { id, value } of offer.updates)
    if (random() < 0.6) kept.set(id, random() < 0.3 ? text('changed') : (value as Bytes));
  const dice = random();
  if (dice < 0.5) return { verdict: keepAll, delayMs };
  if (dice < 0.7) return { verdict: { type: 'keep', kept }, delayMs };
  if (dice < 0.8) return { verdict: { type: 'reset', kept, offeredArrival: 0 }, delayMs };
  if (dice < 0.9) return { verdict: { type: 'ignore' }, delayMs };
  return { verdict: { type: 'dead' }, delayMs };
}
