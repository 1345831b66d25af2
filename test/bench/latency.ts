/**
 * Latency: one update at a time; how long until the last of eight processes has it.
 */
import { seededRandom } from '@grapevine/core';
import { pass } from './clock.ts';
import { Crew, floor, grapevine } from './crew.ts';
import { interleave } from './interleave.ts';
import { atMost, figures, type Section, table } from './page.ts';

import type { Settings } from './settings.ts';
import { percentile } from './statistics.ts';

const SIZE = 8;
const WARM_UP = 50;
const SETTLE_MS = 500;

export async function latency({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  const count = quick ? 100 : 500;
  // Entropy waits for its cycle by design, and pure rumor mongering may lose an update, which has no latency then.
  const measured = protocols.filter((protocol) => protocol !== 'entropy' && protocol !== 'rumor');
  const entrants = [floor, ...measured.map(grapevine)];
  const ours = entrants.find(({ label }) => label === protocols[0]);
  const results = await interleave(runs, entrants, (entrant, run) =>
    Crew.run(entrant, SIZE, { seed }, async (crew) => {
      await pass(SETTLE_MS);
      // Longer than an update takes, and uneven, so that no timer of anybody falls into step with the writer.
      const random = seededRandom(seed + run);
      const pauses = Array.from({ length: WARM_UP + count }, () => 10 + 10 * random());
      await Promise.all(crew.receivers.map((member) => member.call('recordArrivals')));
      const whole = crew.whole(WARM_UP + count);
      const written = await crew.writer.call('trickle', { first: 0, count: WARM_UP + count, pauses });
      await whole;
      const arrivals = await Promise.all(crew.receivers.map((member) => member.call('arrivals')));
      const latencies = written
        .map((at, index) => Math.max(...arrivals.map((times) => times[index] ?? NaN)) - at)
        .slice(WARM_UP);
      return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), max: percentile(latencies, 1) };
    }),
  );
  return {
    name: 'latency',
    title: 'Latency',
    about:
      `${count} single updates among ${SIZE} processes, one every 10 to 20 ms, after ${WARM_UP} that are not counted: ` +
      'the time from the `add` to the moment in which the last process has told a subscriber, by a clock that all ' +
      'processes share.',
    tables: [
      table(
        ['who', 'p50 ms', '× floor', 'p99 ms', '× floor', 'max ms'],
        entrants.map((entrant) => [
          entrant.label,
          figures(results.spread(entrant, 'p50')),
          figures(results.ratio(entrant, 'p50')),
          figures(results.spread(entrant, 'p99')),
          figures(results.ratio(entrant, 'p99')),
          figures(results.spread(entrant, 'max')),
        ]),
      ),
    ],
    bounds:
      ours === undefined
        ? []
        : [
            atMost(`${ours.label}: p50`, 1.3, '× floor', results.ratio(ours, 'p50')),
            atMost(`${ours.label}: p99`, 2, '× floor', results.ratio(ours, 'p99')),
          ],
  };
}
