/**
 * What a seed makes of a run: rounds of faults and of writes. The same arguments give the same plan; when things happen
 * within a round, and so what each fault hits, is up to the machine.
 *
 * Invariants
 *  1. The first faults of a plan are one of each kind.
 *  2. Faults of a round never want the same process, and those that need a whole network have one.
 */
import { sample, seededRandom } from '@grapevine/core';

import { Dice } from '../fuzz/dice.ts';

interface Timed {
  /** From the beginning of the round, in milliseconds. */
  readonly atMs: number;
  /** How long it lasts, or how long writes go on behind it. */
  readonly forMs: number;
}

export type Fault = Timed &
  (
    | { readonly kind: 'kill' | 'leave' | 'stop' | 'disk'; readonly node: string }
    | { readonly kind: 'reset'; readonly node: string; readonly other: string | null }
    | { readonly kind: 'half-open'; readonly node: string; readonly other: string; readonly bothWays: boolean }
    | { readonly kind: 'partition'; readonly side: readonly string[]; readonly silent: boolean }
    | { readonly kind: 'delay'; readonly node: string; readonly other: string; readonly delayMs: number }
    | { readonly kind: 'clock'; readonly node: string; readonly offMs: number }
    | { readonly kind: 'rolling' | 'blackout'; readonly order: readonly string[] }
  );

export type FaultKind = Fault['kind'];

/** How often each is taken, and what it does. */
export const faultKinds: Readonly<Record<FaultKind, { readonly share: number; readonly text: string }>> = {
  kill: { share: 18, text: 'kill -9, and a start' },
  leave: { share: 8, text: 'SIGTERM, and a start' },
  stop: { share: 14, text: 'SIGSTOP, and SIGCONT' },
  reset: { share: 14, text: 'connections reset (RST)' },
  'half-open': { share: 14, text: 'connections that swallow' },
  partition: { share: 14, text: 'a network cut in two' },
  delay: { share: 5, text: 'a slow link' },
  clock: { share: 9, text: 'a clock set wrong, and right again' },
  disk: { share: 2, text: 'a full disk for state files' },
  rolling: { share: 1, text: 'a restart of all, one after the other' },
  blackout: { share: 1, text: 'all killed at once' },
};

export type PlannedWrite = {
  readonly atMs: number;
  readonly node: string;
  /** `add` a new id; write an id anew (`again`, also one that was removed), or `remove` it, the one of this number. */
  readonly type: 'add' | 'again' | 'remove';
  readonly id: number;
};

export interface Round {
  readonly number: number;
  readonly faults: readonly Fault[];
  readonly writes: readonly PlannedWrite[];
}

export interface PlanOptions {
  readonly seed: number;
  readonly faults: number;
  readonly nodes: readonly string[];
  readonly without: readonly FaultKind[];
}

/** For how long there are writes in the plan beyond the time of a fault that starts processes, for each agent. */
const startsMs: Readonly<Partial<Record<FaultKind, number>>> = {
  kill: 500,
  leave: 500,
  disk: 1000,
  rolling: 2000,
  blackout: 500,
};

const MOST_AT_ONCE = 4;
const WRITE_EVERY_MS = 40;
/** How far ahead of its clock an agent takes an update at once: some clocks are set beyond it, either way. */
export const maxDriftMs = 3000;

export function* planOf({ seed, faults, nodes, without }: PlanOptions): Generator<Round> {
  const dice = new Dice(seededRandom(seed));
  const kinds = (Object.keys(faultKinds) as FaultKind[]).filter((kind) => !without.includes(kind));
  if (kinds.length === 0) throw new Error('No kind of fault is left.');
  const weights = kinds.map((kind) => [faultKinds[kind].share, kind] as const);
  const first = sample(dice.random, kinds, kinds.length);
  let next: Fault | null = null;
  let ids = 0;
  for (let number = 1, planned = 0; planned < faults; number += 1) {
    const most = Math.min(1 + dice.below(MOST_AT_ONCE), faults - planned);
    const round: Fault[] = [];
    while (round.length < most) {
      const fault: Fault = next ?? draw(dice, first.shift() ?? dice.weighted(weights), nodes);
      next = round.every((other) => fit(fault, other)) ? null : fault;
      if (next !== null) break;
      round.push(fault);
    }
    planned += round.length;
    const untilMs = Math.max(
      ...round.map(({ kind, atMs, forMs }) => atMs + forMs + (startsMs[kind] ?? 0) * nodes.length),
    );
    const writes: PlannedWrite[] = [];
    for (let atMs = dice.below(WRITE_EVERY_MS); atMs < untilMs; atMs += dice.below(2 * WRITE_EVERY_MS)) {
      const node = dice.pick(nodes);
      const type = ids === 0 ? 'add' : dice.pick(['add', 'add', 'again', 'remove'] as const);
      writes.push({ atMs, node, type, id: type === 'add' ? ids++ : dice.below(ids) });
    }
    yield { number, faults: round, writes };
  }
}

export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'reset':
      return `reset ${fault.node}${fault.other === null ? '' : `-${fault.other}`}`;
    case 'half-open':
      return `half-open ${fault.node}${fault.bothWays ? '<' : '-'}>${fault.other}`;
    case 'partition':
      return `partition ${fault.side.join('+')}${fault.silent ? ' silent' : ''}`;
    case 'delay':
      return `delay ${fault.node}-${fault.other} ${fault.delayMs} ms`;
    case 'clock':
      return `clock ${fault.node} ${fault.offMs > 0 ? '+' : ''}${fault.offMs} ms`;
    case 'rolling':
    case 'blackout':
      return fault.kind;
    default:
      return `${fault.kind} ${fault.node}`;
  }
}

function draw(dice: Dice, kind: FaultKind, nodes: readonly string[]): Fault {
  const [node, other] = sample(dice.random, nodes, 2) as [string, string];
  const timed = { atMs: dice.below(500), forMs: 200 + dice.below(1500) };
  switch (kind) {
    case 'stop':
      return { kind, node, ...timed, forMs: 200 + dice.below(2500) };
    case 'kill':
    case 'leave':
    case 'disk':
      return { kind, node, ...timed };
    case 'reset':
      return { kind, node, other: dice.below(2) === 0 ? null : other, ...timed, forMs: 200 + dice.below(300) };
    case 'half-open':
      return { kind, node, other, bothWays: dice.below(2) === 0, ...timed };
    case 'partition':
      return {
        kind,
        side: sample(dice.random, nodes, 1 + dice.below(Math.floor(nodes.length / 2))),
        silent: dice.below(2) === 0,
        ...timed,
        forMs: 200 + dice.below(2500),
      };
    case 'delay':
      return { kind, node, other, delayMs: 20 + dice.below(400), ...timed };
    case 'clock':
      return { kind, node, offMs: dice.pick([-60_000, -2000, -200, 200, 2000, maxDriftMs + 1500]), ...timed };
    case 'rolling':
    case 'blackout':
      return { kind, order: sample(dice.random, nodes, nodes.length), ...timed };
    default:
      return kind satisfies never;
  }
}

/** Those that stop, kill or start processes, and the ones of all. */
const ofProcess = new Set<FaultKind>(['kill', 'leave', 'stop', 'disk', 'rolling', 'blackout']);
const ofAll = new Set<FaultKind>(['rolling', 'blackout']);
const alongOfAll = new Set<FaultKind>(['reset', 'half-open', 'delay']);

function fit(a: Fault, b: Fault): boolean {
  if (ofAll.has(a.kind)) return alongOfAll.has(b.kind);
  if (ofAll.has(b.kind)) return alongOfAll.has(a.kind);
  // One ballast, and one clock each.
  if (a.kind === b.kind && a.kind === 'disk') return false;
  if (a.kind === 'clock' && b.kind === 'clock') return a.node !== b.node;
  if (!ofProcess.has(a.kind) || !ofProcess.has(b.kind)) return true;
  return (a as { readonly node: string }).node !== (b as { readonly node: string }).node;
}
