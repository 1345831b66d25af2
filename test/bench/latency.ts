/**
 * Latency: one update at a time; how long until the last of eight processes has it.
 */
import { seededRandom } from '@grapevine/core';
import { againstRedis } from './burst.ts';
import { pass } from './clock.ts';
import { Crew, type CrewOptions, type Entrant, floor, grapevine, redisSingle } from './crew.ts';
import { interleave, type Sample } from './interleave.ts';
import { atMost, figures, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';
import { percentile } from './statistics.ts';

export const SIZE = 8;
const WARM_UP = 50;
/** Updates between the two measurements, at a few milliseconds each: then V8 has compiled what is used. */
export const COMPILING = 4000;
const SETTLE_MS = 500;

export async function latency({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  const count = quick ? 100 : 500;
  const compiling = quick ? 200 : COMPILING;
  // Entropy waits for its cycle by design, and pure rumor mongering may lose an update, which has no latency then.
  const measured = protocols.filter((protocol) => protocol !== 'entropy' && protocol !== 'rumor');
  const entrants = [floor, redisSingle, ...measured.map(grapevine)];
  const ours = entrants.find(({ label }) => label === protocols[0]);
  const results = await interleave(runs, entrants, (entrant, run) =>
    measureLatency(entrant, { count, compiling, run }, { seed }),
  );
  return {
    name: 'latency',
    title: 'Latency',
    about:
      `${count} single updates among ${SIZE} processes, one every 10 to 20 ms: early, after ${WARM_UP} that are not ` +
      `counted, and late, after ${compiling} more, when V8 has compiled what is used. Each figure is ` +
      'the time from the `add` to the moment in which the last process has told a subscriber, by a clock that all ' +
      'processes share.',
    tables: [
      table(
        ['who', 'when', 'p50 ms', '× floor', 'p99 ms', '× floor'],
        (['early', 'late'] as const).flatMap((when) =>
          entrants.map((entrant) => [
            entrant.label,
            when,
            figures(results.spread(entrant, `${when}P50`)),
            figures(results.ratio(entrant, `${when}P50`)),
            figures(results.spread(entrant, `${when}P99`)),
            figures(results.ratio(entrant, `${when}P99`)),
          ]),
        ),
      ),
    ],
    bounds:
      ours === undefined
        ? []
        : (['early', 'late'] as const).flatMap((when) => [
            atMost(`${ours.label}, ${when}: p50`, 1.4, '× floor', results.ratio(ours, `${when}P50`)),
            againstRedis(
              atMost(`${ours.label}, ${when}: p50`, 1, '× Redis', results.ratio(ours, `${when}P50`, redisSingle)),
            ),
            atMost(`${ours.label}, ${when}: p99`, 1.2, '× floor', results.ratio(ours, `${when}P99`)),
          ]),
  };
}

export interface Trickles {
  readonly count: number;
  readonly compiling: number;
  readonly run: number;
  /** Processes. @default 8 */
  readonly size?: number;
}

/** @returns the figures early and late, each of `count` updates */
export function measureLatency(
  entrant: Entrant,
  { count, compiling, run, size = SIZE }: Trickles,
  options: CrewOptions,
): Promise<Sample> {
  const total = WARM_UP + count + compiling + count;
  // The processes share the processors of one machine, however many they are.
  const slower = Math.max(1, size / SIZE);
  return Crew.run(entrant, size, options, async (crew) => {
    await pass(SETTLE_MS);
    // Longer than an update takes, and uneven, so that no timer of anybody falls into step with the writer.
    const random = seededRandom(options.seed + run);
    const isCompiling = (index: number): boolean => index >= WARM_UP + count && index < WARM_UP + count + compiling;
    const pauses = Array.from(
      { length: total },
      (_, index) => slower * (isCompiling(index) ? 2 + 2 * random() : 10 + 10 * random()),
    );
    await Promise.all(crew.receivers.map((member) => member.call('recordArrivals')));
    const whole = crew.whole(total);
    const written = await crew.writer.call('trickle', { first: 0, count: total, pauses });
    await whole;
    const arrivals = await Promise.all(crew.receivers.map((member) => member.call('arrivals')));
    const latencies = written.map((at, index) => Math.max(...arrivals.map((times) => times[index] ?? NaN)) - at);
    const early = latencies.slice(WARM_UP, WARM_UP + count);
    const late = latencies.slice(-count);
    return {
      earlyP50: percentile(early, 0.5),
      earlyP99: percentile(early, 0.99),
      lateP50: percentile(late, 0.5),
      lateP99: percentile(late, 0.99),
    };
  });
}
