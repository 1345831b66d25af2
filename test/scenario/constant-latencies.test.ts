/** Networks without chance: every message takes as long as every other, and every writer writes as often. Nobody is left out. */
import { describe, expect, test } from '@jest/globals';
import { type Direction, entropy } from '@grapevine/core';
import { Network } from './network.ts';

const SEEDS = Array.from({ length: 20 }, (_, i) => i + 1);

describe.each<Direction>(['push-pull', 'push', 'pull'])(
  'where all compare with all in every cycle, by %s',
  (direction) => {
    test.each(SEEDS)('a hub takes from each of those who write all the time, seed %d', (seed) => {
      const network = new Network({
        protocol: entropy({ level: 0, direction, delta: 500 }),
        seed,
        latencyMs: () => 10,
      });
      const hub = network.node('m');
      const writers = ['a', 'b', 'x', 'y'].map((name) => network.node(name));
      for (const writer of writers) network.connect(hub, writer);
      network.run(1000);
      let count = 0;
      const write = (): void => {
        count++;
        for (const writer of writers) writer.add(writer.name, String(count));
        network.after(100, write);
      };
      write();
      const heardMs = new Map<string, number>();
      let longestMs = 0;
      const seen = new Map<string, string | undefined>();
      for (let i = 0; i < 600; i++) {
        network.run(100);
        for (const { name } of writers) {
          if (hub.visible[name] !== seen.get(name)) heardMs.set(name, network.nowMs);
          seen.set(name, hub.visible[name]);
          longestMs = Math.max(longestMs, network.nowMs - (heardMs.get(name) ?? network.nowMs - 100 * (i + 1)));
        }
      }
      // A peer that was turned down eight times in a row is let in before others.
      expect(longestMs).toBeLessThanOrEqual(10 * 500);
    });
  },
);
