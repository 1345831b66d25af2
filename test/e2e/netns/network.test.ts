/**
 * The network of the other tests here does what it says: measured by the kernel's own answers to pings.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from '@jest/globals';

import { Network } from './network.ts';
import { inNetwork } from './scene.ts';

const limitMs = 60_000;

const onNetwork = (play: (network: Network) => Promise<void>) => async (): Promise<void> => {
  const network = Network.open();
  try {
    await play(network);
  } finally {
    await network.close();
  }
};

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1] ?? NaN;
const quick = { count: 10, everyMs: 10 };

inNetwork('a network', () => {
  test(
    'packets come late, in one direction or in both',
    onNetwork(async (network) => {
      await network.node('a');
      await network.node('b');
      expect(median(await network.ping('a', 'b', quick))).toBeLessThan(60);
      await network.link('a', 'b', { delayMs: 100 });
      const oneWay = await network.ping('a', 'b', quick);
      expect(Math.min(...oneWay)).toBeGreaterThanOrEqual(100);
      expect(median(oneWay)).toBeLessThan(180);
      await network.link('b', 'a', { delayMs: 100, jitterMs: 50 });
      const jittered = await network.ping('a', 'b', { count: 40, everyMs: 5 });
      expect(jittered).toHaveLength(40);
      expect(Math.min(...jittered)).toBeGreaterThanOrEqual(150);
      expect(Math.max(...jittered) - Math.min(...jittered)).toBeGreaterThan(50);
      await network.heal();
      expect(median(await network.ping('a', 'b', quick))).toBeLessThan(60);
    }),
    limitMs,
  );

  test(
    'packets get lost by the share that was told, in that direction alone',
    onNetwork(async (network) => {
      await network.node('a');
      await network.node('b');
      await network.link('a', 'b', { loss: 0.2 });
      const answers = await network.ping('a', 'b', { count: 1000, everyMs: 4 });
      // Of a thousand a fifth: four standard deviations are five in a hundred.
      expect(answers.length).toBeGreaterThan(750);
      expect(answers.length).toBeLessThan(850);
      expect(await network.counts('a', 'b')).toEqual({ taken: 1000, lost: 1000 - answers.length });
      expect(await network.counts('b', 'a')).toEqual({ taken: answers.length, lost: 0 });
    }),
    limitMs,
  );

  test(
    'a cut, and a device that is down, let nothing through, others are not touched, and everything comes back',
    onNetwork(async (network) => {
      for (const name of ['a', 'b', 'c']) await network.node(name);
      const reached = async (from: string, to: string): Promise<number> =>
        (await network.ping(from, to, { count: 3, everyMs: 10 })).length;
      await network.cut(['a'], ['b']);
      expect([await reached('a', 'b'), await reached('b', 'a'), await reached('a', 'c')]).toEqual([0, 0, 3]);
      await network.heal();
      await network.device('b', 'down');
      expect([await reached('a', 'b'), await reached('a', 'c')]).toEqual([0, 3]);
      await network.device('b', 'up');
      expect(await reached('a', 'b')).toBe(3);
    }),
    limitMs,
  );

  test(
    'nothing is left behind, not even by a run that was killed',
    async () => {
      const network = Network.open();
      const { namespace } = await network.node('a');
      await network.setNameServer('a', '192.0.2.1');
      expect(existsSync(`/run/netns/${namespace}`)).toBe(true);
      await network.close();
      expect([`/run/netns/${namespace}`, `/etc/netns/${namespace}`].filter(existsSync)).toEqual([]);

      const killed = Network.open();
      const orphan = await killed.node('a');
      const pid = Number(/\d+/.exec(orphan.namespace)?.[0]);
      process.kill(pid, 'SIGKILL');
      await killed.ended;
      const next = Network.open();
      await next.node('a');
      expect(existsSync(`/run/netns/${orphan.namespace}`)).toBe(false);
      expect(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })).not.toContain(orphan.namespace);
      await next.close();
    },
    limitMs,
  );
});
