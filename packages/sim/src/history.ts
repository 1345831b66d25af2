/**
 * A history: what a seed makes of a world, storm after storm, and what the oracles object to.
 *
 * Invariants
 *  1. The same options give the same history to the last byte: see `trace`.
 *  2. It ends with the first violation, or when its minutes are over and it is quiet.
 */

import { below, COMPARE_IN_FULL_MS, epidemicStatus } from '@grapevine/core';
import { encodeEphemeral, encodeValue } from '@grapevine/wire';
import { chance, stream } from './chance.ts';
import { allFaults, type FaultName, faultsWithout } from './faults.ts';
import { crowd } from './crowd.ts';
import { type MembershipName, type MembershipSetting, membershipSettingOf } from './membership/membership-setting.ts';
import { doubledOf, ghostOf, unsettledOf } from './oracles/membership-oracles.ts';
import { areEqual, differenceOf, inspect, inspectAll, wideOf } from './oracles/quiet-oracles.ts';
import { StepOracles } from './oracles/step-oracles.ts';
import { type Operation, type Planned, planStorm, type PlanOptions } from './plan.ts';
import { edgesAmong, edgesWithHubs, type ProtocolName, type Setting, settingOf } from './setting.ts';
import { Trace } from './trace.ts';
import type { SimNode } from './node.ts';
import type { Violation } from './violation.ts';
import { World } from './world.ts';

export interface HistoryOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Virtual minutes; the last quiet time comes on top. */
  readonly minutes: number;
  /** @default chosen by the seed */
  readonly protocol?: ProtocolName | undefined;
  /** @default 'list' */
  readonly membership?: MembershipName | undefined;
  /** So many nodes can be dialled, and the others only dial. @default all; with a list, as the seed connects them */
  readonly hubs?: number | undefined;
  /** Only the operations of these numbers are carried out. @default all */
  readonly only?: ReadonlySet<number> | undefined;
  /** Faults that are left out. @default none */
  readonly without?: readonly FaultName[] | undefined;
  /** Gets every line of the trace. @default none is made */
  readonly print?: ((line: string) => void) | undefined;
}

export interface HistoryReport {
  readonly seed: number;
  /** `null`: all is well. */
  readonly violation: Violation | null;
  /** Hash over everything that happened. */
  readonly trace: string;
  readonly happenings: number;
  readonly virtualMs: number;
  /** The longest time from healing to equality, in cycles of the protocol; 0 for pure rumor mongering. */
  readonly cyclesToEqual: number;
  /** The longest time from healing to views that agree, in milliseconds; 0 where a list says who is there. */
  readonly msToSettle: number;
  readonly quietTimes: number;
  readonly writes: number;
  /** Operations that were carried out. */
  readonly operations: readonly number[];
  /** Messages asked for, by type. */
  readonly messages: Readonly<Record<string, number>>;
}

/** Nothing of what expires is in any sum: let it go first, so that equal sums mean equal content. */
const EXPIRY_MS = 5500;
/** Cycles within which all must be equal after all has healed. An invitation that leads nowhere costs four or more. */
const CYCLES_TO_EQUAL = 120;
const LEAST_TO_EQUAL_MS = 90_000;
/** Within so many cycles nobody spreads a rumor any more that everybody knows. */
const REST_CYCLES = 100;
const REST_MS = 4000;
/**
 * Within so many cycles for each node everybody has compared with everybody, where each pulls from one peer a cycle, chosen at random:
 * that a given two have not is as likely as e^-40.
 */
const CYCLES_TO_MEET = 40;
const SILENCE_MS = 3000;
const LEAST_SILENT_MS = 3_600_000;
/** Clocks that are ahead by less come right in time for others to take what was written meanwhile. */
const LEAST_FAR_MS = 60_000;
/** How far a clock jumps at most, beside what it is set ahead by. */
const LONGEST_JUMP_MS = 12_000;
/** The share of quiet times after which somebody dies, where a membership must notice. */
const LOSSES = 0.3;
const isolating: ReadonlySet<Operation['type']> = new Set(['partition', 'sleep', 'slow']);
/** During these a node is not there for others. */
const absenting: ReadonlySet<Operation['type']> = new Set(['restart', 'twins', 'pause']);

function nodesOf(operation: Operation): number[] {
  return 'node' in operation ? [operation.node] : [];
}

export function runHistory(options: HistoryOptions): HistoryReport {
  return new History(options).run();
}

class History {
  readonly #options: HistoryOptions;
  readonly #setting: Setting;
  /** `null`: a list says who is there. */
  readonly #membership: MembershipSetting | null;
  readonly #plan: PlanOptions;
  readonly #world: World;
  readonly #oracles: StepOracles;
  readonly #trace: Trace;
  readonly #operations: number[] = [];
  /** What ends an operation that is still going on, by its number. */
  readonly #healing = new Map<number, () => void>();
  /** Those who have died in this storm, or were stopped: these may be taken for dead, and must take nobody else for dead. */
  readonly #mortals = new Set<string>();
  /** Nodes of which a second process runs. */
  readonly #twins: (readonly [SimNode, SimNode])[] = [];
  /** The id that each node wrote last. */
  readonly #lastOf = new Map<number, string>();
  /** Whether everybody is connected with everybody. */
  readonly #isFull: boolean;
  /** Nodes whose clock was further ahead in this storm than anybody waits for. */
  readonly #farAhead = new Set<number>();
  /** By how much clocks of this storm were ahead, those that were ahead by seconds, added up. */
  #secondsAheadMs = 0;
  #violation: Violation | null = null;
  #written = 0;
  #cyclesToEqual = 0;
  #msToSettle = 0;
  #quietTimes = 0;

  constructor(options: HistoryOptions) {
    const { seed, nodes, without, protocol, membership, hubs, print } = options;
    this.#options = options;
    this.#setting = settingOf(seed, nodes, protocol ?? null);
    this.#membership = membership === 'swim' ? membershipSettingOf(seed, nodes, hubs) : null;
    const { maxDriftMs, tombstoneTtlMs, rumorTtlMs, forgetAfterMs, protocolName, ids, large } = this.#setting;
    const listed = hubs === undefined ? this.#setting.edges : edgesWithHubs(nodes, hubs);
    const edges = this.#membership === null ? listed : edgesAmong(nodes);
    const repairs = protocolName !== 'rumor';
    const chosen = faultsWithout(without ?? [], allFaults);
    const forgets = repairs && forgetAfterMs < LEAST_SILENT_MS;
    // Whoever refuses what is large passes nothing of it on: where not everybody is connected to everybody, others might
    // never get it, and rightly so. And it forgets an origin of which others still hold what it refused: then they differ.
    const isMesh = (hubs ?? nodes) >= nodes && (this.#membership?.isMesh ?? true);
    this.#isFull = isMesh && edges.length === (nodes * (nodes - 1)) / 2;
    const mayRefuse = large > 0 && this.#isFull && !forgets;
    // Small frames alone make nobody refuse anything: they must only be kept.
    const faults = faultsWithout(
      [...(mayRefuse ? [] : ['refusals' as const]), ...(large > 0 && !mayRefuse ? ['frames' as const] : [])],
      chosen,
    );
    this.#plan = {
      seed,
      nodes,
      faults,
      ids,
      large,
      maxDriftMs,
      forgetAfterMs: forgets ? forgetAfterMs : null,
      seeks: this.#membership !== null,
    };
    this.#trace = new Trace(print ?? null);
    this.#oracles = new StepOracles({
      object: this.#object,
      repairs,
      tombstoneTtlMs,
      rumorTtlMs,
      forgetAfterMs,
    });
    this.#world = new World({
      seed,
      nodes,
      edges,
      hubs,
      membership: this.#membership ?? undefined,
      protocol: this.#setting.protocol,
      faults,
      replica: { maxDriftMs, maxUpdateBytes: 2 ** 20, forgetAfterMs },
      observer: this.#oracles,
      trace: this.#trace,
    });
  }

  run(): HistoryReport {
    const world = this.#world;
    world.start();
    if (this.#setting.crowd > 0) crowd(world, this.#setting.crowd);
    const untilMs = 60_000 * this.#options.minutes;
    for (let storm = 0; world.nowMs < untilMs && !world.isOver; storm++) {
      this.#storm(storm);
      this.#heal();
      this.#quiet();
      this.#lose(storm);
    }
    return {
      seed: this.#options.seed,
      violation: this.#violation,
      trace: this.#trace.hash,
      happenings: this.#trace.count,
      virtualMs: world.nowMs,
      cyclesToEqual: this.#cyclesToEqual,
      msToSettle: this.#msToSettle,
      quietTimes: this.#quietTimes,
      writes: this.#oracles.ledger.count,
      operations: this.#operations,
      messages: this.#oracles.messages,
    };
  }

  readonly #object = (rule: number, oracle: string, text: string): void => {
    if (this.#violation !== null) return;
    this.#violation = { rule, oracle, text, atMs: this.#world.nowMs };
    this.#world.isOver = true;
    this.#trace.line(this.#world.nowMs, `violation of rule ${rule} (${oracle}): ${text}`);
  };

  #storm(number: number): void {
    const world = this.#world;
    const { durationMs, operations } = planStorm(this.#plan, number);
    const { only } = this.#options;
    const isCarriedOut = (planned: Planned): boolean => only === undefined || only.has(planned.number);
    // Whoever is cut off or slow may be taken for dead, and it may take others for dead.
    const carriedOut = operations.filter(isCarriedOut).map(({ operation }) => operation);
    const isCalm = !carriedOut.some(({ type }) => isolating.has(type)) && !this.#isolates(carriedOut);
    this.#oracles.membership.mayGo = isCalm ? this.#mortals : null;
    this.#mortals.clear();
    this.#secondsAheadMs = 0;
    this.#farAhead.clear();
    for (const planned of operations) {
      if (!isCarriedOut(planned)) continue;
      world.after(planned.atMs, () => {
        this.#operations.push(planned.number);
        this.#carryOut(planned.operation, planned.number);
      });
    }
    world.run(durationMs);
  }

  /** Whether all who can be dialled may be gone at once: those that only dial are cut off from each other then. */
  #isolates(operations: readonly Operation[]): boolean {
    const { nodes } = this.#world;
    const hubs = nodes.filter(({ nature }) => !nature.dialsOnly);
    const absent = new Set(
      operations.flatMap((operation) => (absenting.has(operation.type) ? nodesOf(operation) : [])),
    );
    return hubs.length < nodes.length && hubs.every(({ index }) => absent.has(index));
  }

  #carryOut(operation: Operation, number: number): void {
    const world = this.#world;
    const { nodes } = world;
    const { trace } = world;
    if (trace.isPrinted) trace.line(world.nowMs, `#${number} ${JSON.stringify(operation)}`);
    const during = (forMs: number, end: () => void): void => {
      this.#healing.set(number, end);
      world.after(forMs, () => this.#end(number));
    };
    switch (operation.type) {
      case 'write': {
        const { node, id, bytes, expiresInMs } = operation;
        const text = `v${++this.#written}`;
        const writer = nodes[node];
        // What a node does not take of others, its own users cannot write.
        const isSmall = bytes === 0 || (writer !== undefined && bytes > writer.nature.maxUpdateBytes);
        const value = encodeValue(isSmall ? text : text.padEnd(bytes, '.'));
        this.#lastOf.set(node, `id${id}`);
        writer?.write(`id${id}`, value, expiresInMs === 0 ? undefined : expiresInMs);
        return;
      }
      case 'tie': {
        const { node, id, expiresInMs } = operation;
        const value = encodeEphemeral(`v${++this.#written}`);
        nodes[node]?.write(`id${id}`, value, expiresInMs === 0 ? undefined : expiresInMs);
        return;
      }
      case 'remove':
        return nodes[operation.node]?.write(`id${operation.id}`, undefined);
      case 'break':
        return world.linkOf(operation.a, operation.b)?.break();
      case 'partition': {
        const members = new Set(operation.members);
        world.block(members, operation.way, 1);
        return during(operation.forMs, () => world.block(members, operation.way, -1));
      }
      case 'crash':
        return nodes[operation.node]?.whenRunning(() =>
          nodes[operation.node]?.crash(this.#membership !== null && number % 2 === 1),
        );
      case 'restart': {
        const node = nodes[operation.node];
        if (node === undefined || !node.isUp || this.#mustTakeBack(operation.node)) return;
        this.#mortals.add(node.name);
        if (!operation.silent && number % 2 === 1) node.leave();
        node.die(operation.silent);
        return during(operation.forMs, () => {
          node.skewMs -= operation.backMs;
          node.boot();
          const last = this.#lastOf.get(operation.node);
          if (operation.rewrites && last !== undefined) node.write(last, encodeValue(`v${++this.#written}`));
          this.#healing.set(-number, () => {
            node.skewMs += operation.backMs;
          });
        });
      }
      case 'twins': {
        const node = nodes[operation.node];
        if (node === undefined || !node.isUp || this.#mustTakeBack(operation.node)) return;
        this.#mortals.add(node.name);
        node.die(operation.silent);
        return during(operation.forMs, () => {
          const twins = [node, world.twinOf(node)] as const;
          this.#twins.push(twins);
          this.#oracles.membership.twinned.add(node.name);
          for (const one of twins) this.#oracles.membership.doubled.add(one);
          for (const one of twins) one.boot();
          for (const one of twins) one.write(`id${operation.id}`, encodeValue(`v${++this.#written}`));
        });
      }
      case 'pause': {
        const node = nodes[operation.node];
        if (node === undefined || !node.isUp || !node.isRunning) return;
        this.#mortals.add(node.name);
        node.pause();
        return during(operation.forMs, () => node.continue());
      }
      case 'sleep': {
        const node = nodes[operation.node];
        if (node === undefined || !node.isUp || !node.isRunning || this.#mustTakeBack(operation.node)) return;
        const alone = new Set([operation.node]);
        world.block(alone, 'both', 1);
        node.pause();
        return during(operation.forMs, () => {
          node.continue();
          world.block(alone, 'both', -1);
        });
      }
      case 'jump': {
        const node = nodes[operation.node];
        if (node === undefined) return;
        node.skewMs += operation.byMs;
        return during(operation.forMs, () => {
          node.skewMs -= operation.byMs;
        });
      }
      case 'course': {
        const node = nodes[operation.node];
        if (node === undefined) return;
        const { byMs, ups, downs, everyMs } = operation;
        if (byMs < LEAST_FAR_MS) this.#secondsAheadMs += byMs * ups;
        else this.#farAhead.add(node.index);
        let aheadMs = 0;
        let isOver = false;
        const set = (nextMs: number): void => {
          node.skewMs += nextMs - aheadMs;
          aheadMs = nextMs;
        };
        for (let step = 1; step < ups + downs - 1; step++)
          world.after(step * everyMs, () => {
            if (!isOver) set(step < ups ? byMs * (step + 1) : Math.round(byMs * ups * (1 - (step - ups + 1) / downs)));
          });
        set(byMs);
        return during((ups + downs - 1) * everyMs, () => {
          isOver = true;
          set(0);
        });
      }
      case 'slow': {
        const link = world.linkOf(operation.a, operation.b);
        if (link === undefined) return;
        link.rate = operation.rate;
        return during(operation.forMs, () => {
          link.rate = Infinity;
        });
      }
      default:
        operation satisfies never;
    }
  }

  /**
   * Whether a node must go on until its writes of a time when its clock was far ahead are taken back. Else others hold them back until
   * that time comes, and vouch for nothing meanwhile that they hear to be over (docs/algorithm.md, rules 1 and 3). Where not everybody
   * is connected with everybody, somebody may hear of it from these alone, and differs from others for as long, rightly so.
   */
  #mustTakeBack(node: number): boolean {
    return !this.#isFull && this.#farAhead.has(node);
  }

  #end(number: number): void {
    const end = this.#healing.get(number);
    if (end === undefined) return;
    this.#healing.delete(number);
    end();
  }

  #heal(): void {
    // What ends one thing may begin another, such as a life with a clock that is set right again.
    while (this.#healing.size > 0) for (const number of this.#healing.keys()) this.#end(number);
  }

  /** One of two processes of a name must live and the other know it, in time; then the second process ends. */
  #part(): void {
    const world = this.#world;
    if (this.#twins.length === 0) return;
    const settlesMs = (this.#membership as MembershipSetting).settlesMs;
    const healedMs = world.nowMs;
    for (;;) {
      const what = this.#twins.map((twins) => doubledOf(world.nodes, twins)).find((problem) => problem !== null);
      if (what === undefined || world.isOver) break;
      if (world.nowMs - healedMs > settlesMs) this.#object(0, 'twins', `${settlesMs} ms after all has healed ${what}`);
      world.run(250);
    }
    for (const [, twin] of this.#twins.splice(0)) twin.die(false);
  }

  /** Lets the memberships find out that all has healed. */
  #settle(): void {
    if (this.#membership === null) return;
    this.#part();
    const world = this.#world;
    const { isMesh, settlesMs } = this.#membership;
    const healedMs = world.nowMs;
    for (;;) {
      const what = unsettledOf(world.nodes, isMesh);
      if (what === null || world.isOver) break;
      if (world.nowMs - healedMs > settlesMs)
        this.#object(0, 'unsettled', `not settled ${settlesMs} ms after all has healed: ${what}`);
      world.run(250);
    }
    this.#msToSettle = Math.max(this.#msToSettle, world.nowMs - healedMs);
    this.#oracles.membership.doubled.clear();
    this.#oracles.membership.mayGo = new Set();
  }

  /** Now and then somebody dies when all is quiet: everybody else must know in time, and take nobody else for dead. */
  #lose(storm: number): void {
    const world = this.#world;
    const random = stream(this.#options.seed, 11, storm);
    if (this.#membership === null || world.isOver || !chance(random, LOSSES)) return;
    const node = world.nodes[below(random, world.nodes.length)] as SimNode;
    const isOnly = !node.nature.dialsOnly && world.nodes.every((other) => other === node || other.nature.dialsOnly);
    this.#oracles.membership.mayGo = isOnly ? null : new Set([node.name]);
    node.die(chance(random, 0.5));
    const { noticesMs } = this.#membership;
    world.run(noticesMs);
    const ghost = ghostOf(world.nodes, node);
    if (ghost !== null) this.#object(0, 'ghost', `${noticesMs} ms after its death ${ghost}`);
    this.#oracles.membership.mayGo = null;
    if (world.isOver) return;
    node.boot();
    this.#settle();
  }

  /** Lets each node tell all who hold what it refuses, as it does when they compare: until then two of them differ. */
  #tellRefused(): void {
    const world = this.#world;
    const { nodes } = world;
    const limitMs = CYCLES_TO_MEET * nodes.length * this.#setting.deltaMs;
    const sinceMs = world.nowMs;
    while (!world.isOver && nodes.every((node) => lacksOnlyRefused(node, nodes))) {
      const untold = this.#oracles.untoldOf(nodes);
      if (untold === null) return;
      if (world.nowMs - sinceMs > limitMs) this.#object(3, 'untold', `${limitMs} ms after all are equal ${untold}`);
      world.run(250);
    }
  }

  /** After so long nothing is held back any more of what clocks have written that were ahead by seconds, and that died or met. */
  get #heldBackMs(): number {
    if (this.#secondsAheadMs === 0) return 0;
    return this.#secondsAheadMs + LONGEST_JUMP_MS - this.#setting.maxDriftMs;
  }

  #quiet(): void {
    const world = this.#world;
    const { nodes } = world;
    const { deltaMs, protocolName } = this.#setting;
    this.#settle();
    const healedMs = world.nowMs;
    if (protocolName === 'rumor') {
      world.run(EXPIRY_MS);
      if (!world.isOver) for (const node of nodes) inspect(node, this.#object);
      this.#oracles.membership.mayGo = null;
      this.#quietTimes++;
      return;
    }
    world.run(EXPIRY_MS + Math.max(Math.min(this.#setting.maxDriftMs, LONGEST_JUMP_MS), this.#heldBackMs));
    const limitMs = Math.max(CYCLES_TO_EQUAL * deltaMs, LEAST_TO_EQUAL_MS);
    const isConnected = (): boolean => this.#membership !== null || world.links.every((link) => link.isUp);
    const isRestored = (): boolean => isConnected() && areEqual(nodes);
    while (!world.isOver && !isRestored()) {
      if (world.nowMs - healedMs > limitMs)
        this.#object(
          3,
          'unequal',
          `not equal ${limitMs} ms (${limitMs / deltaMs} cycles) after all has healed: ${differenceOf(nodes) ?? 'a link is down'}`,
        );
      world.run(250);
    }
    if (world.isOver) return;
    this.#cyclesToEqual = Math.max(this.#cyclesToEqual, (world.nowMs - healedMs) / deltaMs);
    const rest = REST_CYCLES * deltaMs;
    for (let waited = 0; !world.isOver && waited < rest && nodes.some(isInfective); waited += 250) world.run(250);
    // Where origins are forgotten, one node does so a little before another, and says a word about it.
    const isKept = this.#setting.forgetAfterMs > LEAST_SILENT_MS;
    if (isKept) this.#tellRefused();
    world.run(REST_MS);
    // An idle replica compares in full once in ten minutes (ADR 21), the first time ten minutes after it came to be.
    const isYoung = world.nowMs + SILENCE_MS < COMPARE_IN_FULL_MS - LONGEST_JUMP_MS;
    this.#oracles.isQuiet = isYoung && isKept && nodes.every((node) => lacksOnlyRefused(node, nodes));
    world.run(SILENCE_MS);
    this.#oracles.isQuiet = false;
    this.#oracles.membership.mayGo = null;
    if (world.isOver) return;
    for (const node of nodes) inspect(node, this.#object);
    inspectAll(nodes, this.#oracles.ledger, this.#object);
    this.#oracles.settle((wideOf(nodes)[0] as SimNode).replica.context);
    this.#quietTimes++;
  }
}

/**
 * Whether all that others have seen is known or refused here. It is not where what a node refuses is held by nobody any more:
 * then that node vouches for nothing that is over for it, and others are told nothing of that.
 */
function lacksOnlyRefused({ replica }: SimNode, others: readonly SimNode[]): boolean {
  return others.every((other) => replica.refused.covers(replica.context.lacking(other.replica.context.dots())));
}

function isInfective({ machine }: SimNode): boolean {
  return (epidemicStatus(machine)?.infective ?? 0) > 0;
}
