/** Machines of a crowd, in virtual time: what they come to believe together. */
import { describe, expect, test } from '@jest/globals';
import { isThere, type Member, type MembershipMachine, type MemberStatus } from '../../membership.ts';
import { type Random, seededRandom, sample } from '../../random.ts';
import { isSwimMessage } from './messages.ts';
import type { SwimOptions } from './options.ts';
import { swim } from '../swim.ts';

const LATENCY_MS = 2;
const DIAL_TIMEOUT_MS = 3000;

interface Node {
  readonly self: Member;
  readonly machine: MembershipMachine;
  readonly ties: Map<string, Node>;
  readonly views: (readonly MemberStatus[])[];
  timerMs: number;
  isUp: boolean;
  side: number;
}

/** Some machines in virtual time: connections that a cut holds up, and messages that chance loses. */
class Crowd {
  readonly nodes: Node[] = [];
  nowMs = 0;
  loss = 0;
  sent = 0;
  ticks = 0;
  readonly #random: Random;
  readonly #options: Partial<SwimOptions>;
  readonly #todo: { readonly atMs: number; readonly act: () => void }[] = [];
  #epoch = 0;

  constructor(seed: number, options: Partial<SwimOptions> = {}) {
    this.#random = seededRandom(seed);
    this.#options = options;
  }

  join(name: string, seeds: readonly string[], url: string | null = `ws://${name}`): Node {
    const self = { name, epoch: ++this.#epoch, url };
    const node: Node = {
      self,
      ties: new Map(),
      views: [],
      timerMs: Infinity,
      isUp: true,
      side: 0,
      machine: swim({ ...this.#options, seeds: seeds.map((seed) => `ws://${seed}`) }).create({
        self,
        random: seededRandom(this.#epoch),
        effects: {
          dial: () => undefined,
          connect: (to) => this.#dial(node, to),
          hangUp: (to) => this.#later(LATENCY_MS, () => this.#part(node, to, true)),
          expel: (to) => this.#later(LATENCY_MS, () => this.#part(node, to, false)),
          discover: () => undefined,
          remember: () => undefined,
          outlive: () => undefined,
          view: (members) => void node.views.push(members),
          send: (to, body) => {
            for (const one of typeof to === 'string' ? [to] : to) this.#carry(node, one, body);
          },
          setTimer: (_, delayMs) => {
            node.timerMs = this.nowMs + delayMs;
          },
          report: () => undefined,
        },
      }),
    };
    this.nodes.push(node);
    node.machine.start(this.nowMs);
    return node;
  }

  crash(node: Node): void {
    node.isUp = false;
    for (const [name, other] of node.ties) {
      other.ties.delete(node.self.name);
      other.machine.disconnected(node.self.name, this.nowMs, false);
      node.ties.delete(name);
    }
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      let next: Node | undefined;
      for (const node of this.nodes) if (node.isUp && node.timerMs < (next?.timerMs ?? Infinity)) next = node;
      const first = this.#todo[0];
      const atMs = Math.min(next?.timerMs ?? Infinity, first?.atMs ?? Infinity);
      if (atMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      if (first !== undefined && first.atMs <= atMs) this.#todo.shift()?.act();
      else if (next !== undefined) {
        next.timerMs = Infinity;
        this.ticks += 1;
        next.machine.tick('swim', this.nowMs);
      }
    }
    this.nowMs = untilMs;
  }

  /** Whether all that run see just each other, as they are. */
  get agrees(): boolean {
    const living = this.nodes.filter(({ isUp }) => isUp);
    return living.every((node) => {
      const view = (node.views.at(-1) ?? []).filter(isThere);
      return (
        view.length === living.length - 1 &&
        view.every(({ name, epoch, url, state }) =>
          living.some(
            ({ self }) => state === 'alive' && self.name === name && self.epoch === epoch && self.url === url,
          ),
        )
      );
    });
  }

  passUntilAgreed(atMostMs: number): number {
    const fromMs = this.nowMs;
    while (!this.agrees) {
      if (this.nowMs - fromMs > atMostMs) throw new Error(`no agreement: ${this.#views()}`);
      this.pass(100);
    }
    return this.nowMs - fromMs;
  }

  #views(): string {
    return this.nodes
      .filter(({ isUp }) => isUp)
      .map(
        ({ self, views }) =>
          `${self.name}: ${(views.at(-1) ?? []).map(({ name, epoch, state }) => `${name}/${epoch} ${state}`).join(', ')}`,
      )
      .join('; ');
  }

  #later(delayMs: number, act: () => void): void {
    const atMs = this.nowMs + delayMs;
    let i = this.#todo.length;
    while (i > 0 && (this.#todo[i - 1]?.atMs as number) > atMs) i -= 1;
    this.#todo.splice(i, 0, { atMs, act });
  }

  #dial(from: Node, url: string): void {
    this.#later(LATENCY_MS, () => {
      if (!from.isUp) return;
      const to = this.nodes.find(({ isUp, self }) => isUp && self.url === url);
      if (to !== undefined && to.side !== from.side) {
        this.#later(
          DIAL_TIMEOUT_MS,
          () => from.isUp && from.machine.dialEnded?.({ url, outcome: 'failed', peer: null }, this.nowMs),
        );
        return;
      }
      const peer = to === undefined ? null : { name: to.self.name, epoch: to.self.epoch };
      const open = to === undefined ? undefined : from.ties.get(to.self.name);
      if (to === from) return from.machine.dialEnded?.({ url, outcome: 'self', peer }, this.nowMs);
      if (to !== undefined && open === undefined) {
        for (const [a, b] of [
          [from, to],
          [to, from],
        ] as const) {
          const former = a.ties.get(b.self.name);
          if (former !== undefined) this.#part(a, b.self.name, false);
          a.ties.set(b.self.name, b);
        }
        from.machine.connected(to.self, this.nowMs);
        to.machine.connected(from.self, this.nowMs);
      }
      const outcome = to === undefined ? 'failed' : open === undefined ? 'connected' : 'duplicate';
      from.machine.dialEnded?.({ url, outcome, peer }, this.nowMs);
    });
  }

  #part(from: Node, name: string, released: boolean): void {
    const to = from.ties.get(name);
    if (to === undefined) return;
    from.ties.delete(name);
    to.ties.delete(from.self.name);
    if (from.isUp) from.machine.disconnected(name, this.nowMs, released);
    if (to.isUp) to.machine.disconnected(from.self.name, this.nowMs, released);
  }

  #carry(from: Node, name: string, body: unknown): void {
    const to = from.ties.get(name);
    this.sent += 1;
    if (to === undefined || this.#random() < this.loss) return;
    if (!isSwimMessage(body)) throw new Error(`no peer would accept ${JSON.stringify(body)}`);
    const copy: unknown = structuredClone(body);
    this.#later(LATENCY_MS, () => {
      if (to.isUp && to.side === from.side && from.ties.get(name) === to)
        to.machine.receive(from.self.name, copy, this.nowMs);
    });
  }
}

function aCrowd(count: number, { seed = 1, ...options }: Partial<SwimOptions> & { seed?: number } = {}): Crowd {
  const crowd = new Crowd(seed, options);
  for (let i = 0; i < count; i++) crowd.join(nameOf(i), i === 0 ? [] : [nameOf(0)]);
  return crowd;
}

const nameOf = (i: number): string => `n${String(i).padStart(2, '0')}`;
const downs = (nodes: readonly Node[]): string[] =>
  nodes.flatMap(({ views, self }) =>
    views.flatMap((view) => view.filter(({ state }) => state === 'down').map(({ name }) => `${self.name} of ${name}`)),
  );

describe('nodes that run SWIM', () => {
  test.each([3, 10, 16, 17, 40])('%i that know one another by one seed soon know all', (count) => {
    expect(aCrowd(count).passUntilAgreed(10_000)).toBeLessThan(10_000);
  });

  test.each([5, 40])('a crash among %i is known by all, and accuses nobody else', (count) => {
    const crowd = aCrowd(count, { seed: count });
    crowd.passUntilAgreed(10_000);
    const gone = crowd.nodes[2] as Node;
    crowd.pass(20_000);
    crowd.crash(gone);
    crowd.passUntilAgreed(20_000);
    expect(new Set(downs(crowd.nodes).map((one) => one.split(' ')[2]))).toEqual(new Set([gone.self.name]));
  });

  test.each([
    [5, 2],
    [20, 8],
  ])('the halves of %i that were cut in two find each other, and none buries its own living', (count, few) => {
    const crowd = aCrowd(count);
    crowd.passUntilAgreed(10_000);
    crowd.pass(30_000);
    const [small, large] = [crowd.nodes.slice(0, few), crowd.nodes.slice(few)];
    for (const node of small) node.side = 1;
    crowd.pass(120_000);
    for (const node of crowd.nodes) {
      const own = node.side === 1 ? small : large;
      expect(
        (node.views.at(-1) ?? [])
          .filter(isThere)
          .map(({ name }) => name)
          .toSorted(),
      ).toEqual(own.filter((other) => other !== node).map(({ self }) => self.name));
    }
    for (const node of crowd.nodes) {
      node.side = 0;
      node.views.length = 0;
    }
    crowd.passUntilAgreed(70_000);
    const names = (nodes: readonly Node[]): Set<string> => new Set(nodes.map(({ self }) => self.name));
    for (const [half, own] of [
      [small, names(small)],
      [large, names(large)],
    ] as const)
      expect(downs(half).filter((one) => own.has(one.split(' ')[2] as string))).toEqual([]);
  });

  test('all that start anew at once find each other by their seed', () => {
    const crowd = aCrowd(8);
    crowd.passUntilAgreed(10_000);
    for (const node of crowd.nodes.slice()) crowd.crash(node);
    for (let i = 0; i < 8; i++) crowd.join(nameOf(i), [nameOf(0)]);
    expect(crowd.passUntilAgreed(15_000)).toBeLessThan(15_000);
  });

  test('a node that comes back under its name from another place is taken up at once', () => {
    const crowd = aCrowd(5);
    crowd.passUntilAgreed(10_000);
    crowd.crash(crowd.nodes[2] as Node);
    crowd.join(nameOf(2), [nameOf(4)], 'ws://elsewhere');
    expect(crowd.passUntilAgreed(5000)).toBeLessThan(3000);
  });

  test('with one message of twenty lost nobody is declared down', () => {
    const crowd = aCrowd(12);
    crowd.passUntilAgreed(10_000);
    crowd.loss = 0.05;
    crowd.pass(1_800_000);
    expect(downs(crowd.nodes)).toEqual([]);
  });

  test('without news, a question, an answer and two timers a period are all, in a large cluster too', () => {
    const crowd = aCrowd(40);
    crowd.pass(60_000);
    [crowd.sent, crowd.ticks] = [0, 0];
    crowd.pass(60_000);
    expect(crowd.sent / 40 / 60).toBeLessThan(2.5);
    expect(crowd.ticks / 40 / 60).toBeLessThan(2.5);
  });

  test.each(Array.from({ length: 12 }, (_, i) => [i + 1]))(
    'whatever happens, they agree once it is over (seed %i)',
    (seed) => {
      const random = seededRandom(seed);
      const count = seed % 3 === 0 ? 20 : 6;
      const crowd = aCrowd(count, { seed, neighbours: seed % 2 === 0 ? 3 : 8 });
      let births = 0;
      for (let step = 0; step < 25; step++) {
        const [node] = sample(
          random,
          crowd.nodes.filter(({ isUp }) => isUp),
          1,
        );
        const chance = random();
        if (node !== undefined && chance < 0.2 && node.self.name !== nameOf(0)) {
          crowd.crash(node);
          if (random() < 0.6)
            crowd.join(node.self.name, [nameOf(0)], random() < 0.5 ? (node.self.url ?? '') : `ws://other-${++births}`);
        } else if (chance < 0.4) for (const one of crowd.nodes) one.side = random() < 0.5 ? 0 : 1;
        else if (chance < 0.6) for (const one of crowd.nodes) one.side = 0;
        else if (chance < 0.7) crowd.loss = 0.3;
        else if (chance < 0.8) crowd.loss = 0;
        else if (node !== undefined && chance < 0.9) node.machine.describe?.({ step }, crowd.nowMs);
        crowd.pass(random() * 20_000);
      }
      crowd.loss = 0;
      for (const node of crowd.nodes) node.side = 0;
      expect(crowd.passUntilAgreed(200_000)).toBeLessThan(200_000);
      // What was said while it could not be heard comes with the comparisons.
      crowd.pass(120_000);
      expect(crowd.agrees).toBe(true);
      const metas = crowd.nodes
        .filter(({ isUp }) => isUp)
        .map(({ self }) => {
          const seen = crowd.nodes
            .filter((other) => other.isUp && other.self !== self)
            .map(({ views }) => JSON.stringify(views.at(-1)?.find(({ name }) => name === self.name)?.meta));
          return new Set(seen).size;
        });
      expect(new Set(metas)).toEqual(new Set([1]));
    },
  );
});

/** Hubs that everybody knows, and nodes that have dialled them and cannot be dialled. */
function aStar({
  hubs,
  leaves,
  seed = 1,
}: {
  readonly hubs: number;
  readonly leaves: number;
  readonly seed?: number;
}): Crowd {
  const crowd = new Crowd(seed);
  const names = Array.from({ length: hubs }, (_, i) => `hub${i}`);
  for (const name of names) crowd.join(name, names);
  crowd.passUntilAgreed(5000);
  for (let i = 0; i < leaves; i++) crowd.join(nameOf(i), names, null);
  return crowd;
}

/** How long until everybody but one has it in a state, and whether anybody saw it in another on the way. */
function passUntilTold(crowd: Crowd, gone: Node, state: 'down' | 'left', atMostMs: number): number {
  const fromMs = crowd.nowMs;
  const others = crowd.nodes.filter((node) => node.isUp && node !== gone);
  const stateAt = ({ views }: Node) => views.at(-1)?.find(({ name }) => name === gone.self.name)?.state;
  while (!others.every((node) => stateAt(node) === state)) {
    if (crowd.nowMs - fromMs > atMostMs) throw new Error(`told as ${others.map(stateAt).join(' ')}`);
    crowd.pass(50);
  }
  const otherwise = others.flatMap(({ views }) =>
    views.flatMap((view) => view.filter(({ name }) => name === gone.self.name).map((one) => one.state)),
  );
  expect(otherwise.filter((seen) => seen === (state === 'down' ? 'left' : 'down'))).toEqual([]);
  return crowd.nowMs - fromMs;
}

describe.each([
  { hubs: 1, leaves: 10 },
  { hubs: 1, leaves: 50 },
  { hubs: 3, leaves: 50 },
])('nodes that only dial: $leaves of them and $hubs that they dial', (shape) => {
  const { hubs, leaves } = shape;

  test('all know all within two seconds of the last that joins', () => {
    expect(aStar(shape).passUntilAgreed(2000)).toBeLessThanOrEqual(2000);
  });

  test('a goodbye is told as one, within a second', () => {
    const crowd = aStar(shape);
    crowd.passUntilAgreed(2000);
    crowd.pass(30_000);
    const leaf = crowd.nodes[hubs + 3] as Node;
    leaf.machine.leave(crowd.nowMs);
    crowd.pass(2 * LATENCY_MS);
    crowd.crash(leaf);
    expect(passUntilTold(crowd, leaf, 'left', 1000)).toBeLessThanOrEqual(1000);
  });

  test('a crash is told as one, within the time that a mesh of as many takes plus a second', () => {
    const inMesh = aCrowd(hubs + leaves);
    inMesh.passUntilAgreed(10_000);
    inMesh.pass(30_000);
    const gone = inMesh.nodes[hubs + 3] as Node;
    inMesh.crash(gone);
    const meshMs = passUntilTold(inMesh, gone, 'down', 60_000);
    const crowd = aStar(shape);
    crowd.passUntilAgreed(2000);
    crowd.pass(30_000);
    const leaf = crowd.nodes[hubs + 3] as Node;
    crowd.crash(leaf);
    expect(passUntilTold(crowd, leaf, 'down', 60_000)).toBeLessThanOrEqual(meshMs + 1000);
    expect(new Set(downs(crowd.nodes).map((one) => one.split(' ')[2]))).toEqual(new Set([leaf.self.name]));
  });

  test.each([1, 4, 5])('with one message of twenty lost nobody is declared down, seed %i', (seed) => {
    const crowd = aStar({ ...shape, seed });
    crowd.passUntilAgreed(2000);
    crowd.loss = 0.05;
    crowd.pass(300_000);
    expect(downs(crowd.nodes)).toEqual([]);
  });
});

test('the nodes that dialled a hub which crashes go on by another, and nobody takes them for dead', () => {
  const crowd = aStar({ hubs: 3, leaves: 30 });
  crowd.passUntilAgreed(2000);
  crowd.crash(crowd.nodes[0] as Node);
  crowd.passUntilAgreed(20_000);
  crowd.pass(60_000);
  expect(new Set(downs(crowd.nodes).map((one) => one.split(' ')[2]))).toEqual(new Set(['hub0']));
  const leaf = crowd.nodes[10] as Node;
  expect([...leaf.ties.keys()].toSorted()).toEqual(['hub1', 'hub2']);
});

test.each([
  { leaves: 10, awayMs: 20_000 },
  { leaves: 30, awayMs: 2000 },
  { leaves: 30, awayMs: 600_000 },
])('of $leaves that dial one hub, which is away for $awayMs ms, one that dies meanwhile is down for all', (shape) => {
  const { leaves, awayMs } = shape;
  const crowd = aStar({ hubs: 1, leaves });
  crowd.passUntilAgreed(5000);
  crowd.pass(30_000);
  const [hub, , , gone] = crowd.nodes as [Node, Node, Node, Node];
  crowd.crash(hub);
  crowd.pass(awayMs / 2);
  crowd.crash(gone);
  crowd.pass(awayMs / 2);
  const again = crowd.join(hub.self.name, []);
  // They are alone without it, whatever they believe of each other, and so in a hurry.
  crowd.pass(6000);
  expect(again.ties.size).toBe(leaves - 1);
  crowd.passUntilAgreed(60_000);
  crowd.pass(60_000);
  const others = downs(crowd.nodes).filter((one) => !one.endsWith(hub.self.name));
  expect(new Set(others.map((one) => one.split(' ')[2]))).toEqual(new Set([gone.self.name]));
});

test('of those that only dial in a large cluster, none outlives all whom it had dialled', () => {
  const crowd = new Crowd(1, { neighbours: 3 });
  const names = Array.from({ length: 20 }, (_, i) => `hub${i}`);
  for (const name of names) crowd.join(name, names.slice(0, 2));
  for (let i = 0; i < 20; i++) crowd.join(nameOf(i), names.slice(0, 2), null);
  crowd.passUntilAgreed(20_000);
  crowd.pass(60_000);
  for (const [i, node] of crowd.nodes.entries()) if (i % 2 === 1) crowd.crash(node);
  expect(crowd.passUntilAgreed(60_000)).toBeLessThan(60_000);
});

test('what a hub says grows with those who have dialled it, not with their square', () => {
  const said = [10, 40].map((leaves) => {
    const crowd = aStar({ hubs: 1, leaves });
    crowd.passUntilAgreed(5000);
    crowd.pass(60_000);
    crowd.sent = 0;
    (crowd.nodes[2] as Node).machine.describe?.({ zone: 'b' }, crowd.nowMs);
    crowd.pass(60_000);
    return crowd.sent;
  });
  expect((said[1] as number) / (said[0] as number)).toBeLessThan(4.5);
});
