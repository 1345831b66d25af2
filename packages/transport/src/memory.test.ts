import { describe, expect, test } from '@jest/globals';
import { type Harness, transportSuite } from './conformance.ts';
import { createMemoryTransport, memoryNetwork } from './memory.ts';
import type { SecurityOptions } from './security.ts';
import type { Session } from './session.ts';
import type { Transport } from './transport.ts';

function memoryHarness(security?: SecurityOptions): Harness {
  const network = memoryNetwork();
  return {
    create: (options) => createMemoryTransport(network, security === undefined ? options : { security, ...options }),
    listenAt: () => ({ port: 0 }),
    through: async (url, [a, b]) => {
      network.heal();
      return { url, cut: () => network.cut(a, b) };
    },
    dispose: async () => {},
  };
}

transportSuite({ describe, test, expect }, 'memory', memoryHarness);
transportSuite({ describe, test, expect }, 'memory with keys', () =>
  memoryHarness({ keys: ['a key for this test alone'] }),
);

/** Time that moves only when told, with its own dice. */
class World {
  now = 0;
  #events: { at: number; run: () => void }[] = [];
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  readonly random = (): number => {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#state / 2 ** 32;
  };

  readonly setTimer = (delayMs: number, run: () => void): (() => void) => {
    const event = { at: this.now + delayMs, run };
    this.#events.push(event);
    return () => {
      this.#events = this.#events.filter((each) => each !== event);
    };
  };

  /** Runs what is due in the next `ms`, microtasks in between as in a real event loop. */
  async run(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      const next = this.#events.reduce<{ at: number; run: () => void } | undefined>(
        (first, event) => (first === undefined || event.at < first.at ? event : first),
        undefined,
      );
      if (next === undefined || next.at > end) break;
      this.#events = this.#events.filter((each) => each !== next);
      this.now = next.at;
      next.run();
      await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    this.now = end;
  }
}

describe('in a world of random latencies, breaking connections and cuts', () => {
  test('every pair ends with one connection, the same at both ends, for two hundred seeds', async () => {
    const wrong: string[] = [];
    for (let seed = 1; seed <= 200; seed++) {
      const world = new World(seed);
      const { random, setTimer } = world;
      const network = memoryNetwork({
        schedule: (run, delayMs) => void setTimer(delayMs, run),
        latencyMs: () => random() * 50,
        // At first connections break; then the network is sound and all must be well.
        random: () => (world.now < 3000 ? random() : 1),
        breakChance: 0.05,
      });
      const names = ['a', 'b', 'c'];
      const received = new Map<Session, number>();
      const nodes = names.map((name, index): Transport => {
        const clock = { random, setTimer, now: () => world.now };
        return createMemoryTransport(network, {
          ...clock,
          name,
          epoch: index,
          listen: { port: 0 },
          redialMaxMs: 500,
          pingIntervalMs: 200,
        });
      });
      for (const node of nodes) {
        await node.start({
          opened: (session) => {
            received.set(session, 0);
            session.onFrames = (frames) => void received.set(session, (received.get(session) ?? 0) + frames.length);
          },
          closed: (session) => void received.delete(session),
        });
        node.dial(names.filter(() => random() < 0.8).map((name) => `memory://${name}`));
      }
      nodes[0]?.dial(['memory://b', 'memory://c']);
      nodes[1]?.dial(['memory://a', 'memory://c']);
      await world.run(1000);
      network.cut('a', 'b');
      await world.run(random() * 1500);
      network.heal();
      await world.run(10_000);
      for (const session of received.keys()) session.send(new Uint8Array(1), 'reply');
      await world.run(1000);
      if (received.size !== 6) wrong.push(`seed ${seed}: ${received.size} ends of sessions are open, not 6`);
      const heard = [...received.values()];
      if (heard.some((frames) => frames !== 1)) wrong.push(`seed ${seed}: the ends received ${heard.join(', ')}`);
      const closing = Promise.all(nodes.map((node) => node.close()));
      await world.run(10_000);
      await closing;
    }
    expect(wrong).toEqual([]);
  });
});
