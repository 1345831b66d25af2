/**
 * Idle: what eight processes that agree on 10,000 ids cost while nothing happens.
 */
import { pass } from './clock.ts';
import { Crew, type Entrant, floor, grapevine } from './crew.ts';
import { Results, type Sample } from './interleave.ts';
import { atMost, figures, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';

const SIZE = 8;
const IDS = 10_000;
const DELTA_MS = 500;

export async function idle({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  // Within half a minute of any work V8 collects the garbage of a process gone idle, once, for some 25 ms.
  const settleMs = quick ? 2000 : 40_000;
  const seconds = quick ? 5 : 30;
  const entrants = [floor, ...protocols.map(grapevine)];
  const ours = entrants.find(({ label }) => label === protocols[0]);
  const measure = (entrant: Entrant): Promise<Sample> =>
    Crew.run(entrant, SIZE, { seed, delta: DELTA_MS }, async (crew) => {
      // Not all of them with pure rumor mongering, perhaps: that is no matter here.
      const arrived = crew.arrivals(IDS);
      await crew.writer.call('add', 0, IDS);
      await arrived;
      await pass(settleMs);
      const spent = await crew.all((member) => member.call('spend', seconds * 1000));
      const mean = (figure: 'cpuMs' | 'bytesOut'): number =>
        spent.reduce((sum, reading) => sum + reading[figure], 0) / SIZE / seconds;
      return { cpuMs: mean('cpuMs'), bytes: mean('bytesOut') };
    });
  const results = new Results();
  // All at once: they are idle, and the machine is the same for all.
  for (let run = 0; run < runs; run++)
    await Promise.all(entrants.map(async (entrant) => results.push(entrant, await measure(entrant))));
  return {
    name: 'idle',
    title: 'Idle',
    about:
      `${SIZE} processes hold the same ${IDS.toLocaleString('en')} ids, \`delta\` is ${DELTA_MS}; CPU and bytes written a ` +
      `node a second, over ${seconds} s, from ${settleMs / 1000} s after all agree. The floor does nothing here: its ` +
      'CPU is what an idle process of Node costs.',
    tables: [
      table(
        ['who', 'CPU ms a node a second', 'bytes a node a second'],
        entrants.map((entrant) => [
          entrant.label,
          figures(results.spread(entrant, 'cpuMs')),
          figures(results.spread(entrant, 'bytes')),
        ]),
      ),
    ],
    bounds:
      ours === undefined
        ? []
        : [
            atMost(`${ours.label}: CPU`, 0.5, 'ms a node a second', results.spread(ours, 'cpuMs')),
            atMost(`${ours.label}: bytes`, 400, 'a node a second', results.spread(ours, 'bytes')),
          ],
  };
}
