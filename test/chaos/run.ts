/**
 * A run: round after round of faults and writes, each followed by the check.
 *
 * The check waits until all agents live, know each other, hold the same by hash and by what they told, and have told of all
 * that was handed to them; then the ledger judges. What does not come true in `patienceMs` has failed.
 */
import type { AgentEvent, AgentProcess } from '@grapevine/cli';

import { inTime, pass } from '../bench/clock.ts';
import { Cluster } from './cluster.ts';
import { inflict } from './faults.ts';
import { Ledger } from './ledger.ts';
import type { Network } from './network.ts';
import { type PlannedWrite, planOf, type PlanOptions, type Round } from './plan.ts';

export interface RunOptions extends PlanOptions {
  /** Where the repository is, built. */
  readonly root: string;
  readonly folder: string;
  readonly network: Network;
  /** How long anything may take that must come true. @default 60000 */
  readonly patienceMs?: number;
  /** Told of each round, at its end. */
  readonly onRound?: (result: RoundResult) => void;
  /** Told of what a run cannot do here. */
  readonly onNote?: (text: string) => void;
}

export interface RoundResult {
  readonly round: Round;
  /** What each fault hit, where that is up to the moment. */
  readonly hits: readonly (string | null)[];
  /** How often an agent said that another is down. */
  readonly downs: number;
  /** From the end of the last fault until all were equal, and for all of the round. */
  readonly equalMs: number;
  readonly tookMs: number;
  /** Ids that are there. */
  readonly ids: number;
  /** Writes that were handed to agents. */
  readonly writes: number;
  /** Writes that died with their holders. */
  readonly died: number;
  /** What must not be; empty when all is well. */
  readonly lost: readonly string[];
  readonly returned: readonly string[];
  readonly troubles: readonly string[];
  /** Why not all became equal. */
  readonly unequal: readonly string[];
}

export interface RunResult {
  readonly rounds: readonly RoundResult[];
  readonly started: number;
  readonly acknowledged: number;
  /** The last lines of each log, where something failed. */
  readonly tails: ReadonlyMap<string, string>;
}

const GOSSIP = 'grapevine';
const TAIL_LINES = 25;
/** How long a status may take. */
const ANSWER_MS = 5000;

/** @returns after the last fault, or the first round in which something failed */
export async function run(options: RunOptions): Promise<RunResult> {
  const running = new Run(options);
  try {
    return await running.play();
  } finally {
    await running.end();
  }
}

class Run {
  readonly #cluster: Cluster;
  readonly #options: RunOptions;
  readonly #patienceMs: number;
  readonly #ledger = new Ledger<AgentProcess>();
  #values = 0;
  #downs = 0;

  constructor(options: RunOptions) {
    const { network, folder, root, nodes: names } = options;
    this.#cluster = new Cluster({ root, folder, network, names, heard: (agent, event) => this.#follow(agent, event) });
    this.#options = options;
    this.#patienceMs = options.patienceMs ?? 60_000;
  }

  async play(): Promise<RunResult> {
    const cluster = this.#cluster;
    const { onRound, onNote } = this.#options;
    const rounds: RoundResult[] = [];
    const { problem } = cluster.disk;
    if (problem !== null) onNote?.(`no fault 'disk': ${problem}`);
    const without = [...this.#options.without, ...(problem === null ? [] : (['disk'] as const))];
    await cluster.open();
    const apart = await this.#settle([]);
    if (apart.length > 0) throw new Error(`The agents did not find each other: ${apart.join('; ')}`);
    for (const round of planOf({ ...this.#options, without })) {
      const result = await this.#round(round);
      rounds.push(result);
      onRound?.(result);
      if (isFailed(result)) break;
    }
    const failed = rounds.some(isFailed);
    const tails = new Map(failed ? cluster.names.map((name) => [name, cluster.tailOf(name, TAIL_LINES)]) : []);
    return { rounds, started: cluster.started, acknowledged: this.#ledger.acknowledged, tails };
  }

  end(): Promise<void> {
    return this.#cluster.close();
  }

  #follow(agent: AgentProcess, event: AgentEvent): void {
    switch (event.event) {
      case 'snapshot':
        for (const { id, value } of event.entries) this.#ledger.told(agent, id, String(value));
        break;
      case 'update':
        this.#ledger.told(agent, event.id, String(event.value));
        break;
      case 'removed':
      case 'expired':
        this.#ledger.told(agent, event.id, null);
        break;
      case 'nodedown':
        this.#downs += 1;
        break;
      default:
        break;
    }
  }

  async #round(round: Round): Promise<RoundResult> {
    const cluster = this.#cluster;
    const beganMs = performance.now();
    const open: { readonly agent: AgentProcess; readonly id: string }[] = [];
    const scene = {
      cluster,
      network: this.#options.network,
      patienceMs: this.#patienceMs,
      caughtUp: (name: string) => this.#caughtUp(name),
    };
    this.#downs = 0;
    let isOver = false;
    const writing = this.#write(round.writes, open, () => isOver);
    const ends = await Promise.allSettled(round.faults.map((fault) => inflict(fault, scene)));
    isOver = true;
    await writing;
    const failures = ends.flatMap((end) => (end.status === 'rejected' ? [(end.reason as Error).message] : []));
    const overMs = performance.now();
    const unequal = failures.length > 0 ? [] : await this.#settle(open);
    const equalMs = performance.now() - overMs;
    const content = cluster.agent(cluster.names[0] as string).replica(GOSSIP) as ReadonlyMap<string, string>;
    const isWhole = failures.length === 0 && unequal.length === 0;
    const verdict = isWhole ? this.#ledger.check([...cluster.living], content) : { lost: [], returned: [], died: 0 };
    return {
      round,
      hits: ends.map((end) => (end.status === 'fulfilled' ? end.value : null)),
      downs: this.#downs,
      equalMs,
      tookMs: performance.now() - beganMs,
      ids: content.size,
      writes: open.length,
      ...verdict,
      troubles: [...failures, ...cluster.troubles()],
      unequal,
    };
  }

  /** Hands out what can be written as planned: a dead agent writes nothing, nor one that lacks what it would replace. */
  async #write(
    writes: readonly PlannedWrite[],
    open: { agent: AgentProcess; id: string }[],
    isOver: () => boolean,
  ): Promise<void> {
    const beganMs = performance.now();
    for (const { atMs, node, type, id: number } of writes) {
      await pass(Math.max(0, atMs - (performance.now() - beganMs)));
      if (isOver()) return;
      const agent = this.#cluster.agent(node);
      const id = `id ${number}`;
      if (!this.#cluster.living.has(agent)) continue;
      if (!this.#ledger.mayWrite(agent, id)) continue;
      if (type === 'remove' && !this.#ledger.isLive(id)) continue;
      const value = type === 'remove' ? null : `value ${++this.#values} by ${node}`;
      this.#ledger.write(id, value);
      open.push({ agent, id });
      agent.write(value === null ? { id, remove: true } : { id, value });
    }
  }

  /** Writes go on meanwhile: then the same as one other at the same time is enough. */
  async #caughtUp(name: string): Promise<void> {
    const others = this.#cluster.names.filter((other) => other !== name);
    const isSame = async (): Promise<boolean> => {
      const [hash, ...theirs] = await this.#hashesOf([name, ...others]);
      return hash !== undefined && theirs.includes(hash);
    };
    const untilMs = performance.now() + this.#patienceMs;
    while (!(await isSame())) {
      if (performance.now() > untilMs) throw new Error(`${name} did not catch up`);
      await pass(20);
    }
  }

  /** @returns when all are equal; what each says where they are not in time */
  async #settle(open: readonly { readonly agent: AgentProcess; readonly id: string }[]): Promise<string[]> {
    const cluster = this.#cluster;
    const untilMs = performance.now() + this.#patienceMs;
    const isOpen = ({ agent, id }: (typeof open)[number]): boolean =>
      cluster.living.has(agent) && this.#ledger.isOpen(id);
    const looksEqual = (): boolean => cluster.isWhole && !open.some(isOpen) && this.#haveToldTheSame();
    const isDead = (): boolean => cluster.living.size < cluster.names.length;
    for (;;) {
      const leftMs = Math.max(0, untilMs - performance.now());
      const cameTrue = await cluster.until(() => looksEqual() || isDead(), leftMs);
      const hashes = await this.#hashesOf(cluster.names);
      // What they told may have changed while they were asked.
      if (cameTrue && new Set(hashes).size === 1 && hashes[0] !== undefined && looksEqual()) return [];
      if (isDead() || performance.now() > untilMs)
        return [
          ...cluster.names.map((name, i) => {
            const agent = cluster.agent(name);
            const { size } = agent.replica(GOSSIP);
            const state = cluster.living.has(agent) ? (hashes[i] ?? 'no answer') : 'dead';
            return `${name}: ${state}, ${size} ids, members ${[...agent.members].sort().join(' ')}`;
          }),
          ...open.filter(isOpen).map(({ agent, id }) => `${agent.name} has not told of ${id}, which it was to write`),
        ];
      await pass(20);
    }
  }

  #haveToldTheSame(): boolean {
    const [first, ...others] = this.#cluster.names.map((name) => this.#cluster.agent(name).replica(GOSSIP));
    return others.every(
      (other) => other.size === first?.size && [...other].every(([id, value]) => first.get(id) === value),
    );
  }

  /** `undefined` for one that is dead, or does not answer. */
  #hashesOf(names: readonly string[]): Promise<(string | undefined)[]> {
    return Promise.all(
      names.map(async (name) => {
        const asked = this.#cluster.agent(name).status(GOSSIP);
        const status = await inTime(
          asked.catch(() => undefined),
          ANSWER_MS,
        );
        return status?.hash;
      }),
    );
  }
}

export function isFailed({ lost, returned, troubles, unequal }: RoundResult): boolean {
  return lost.length + returned.length + troubles.length + unequal.length > 0;
}
