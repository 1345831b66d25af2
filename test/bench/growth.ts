/**
 * Growth: what a delivery costs as there are more updates and more processes, and how long a single update takes as there are
 * more processes.
 */
import { type Axis, drawChart, type Series } from '@grapevine/sim/plot';
import { type Load, measureBurst } from './burst.ts';
import { canRun, type CrewOptions, type Entrant, floor, grapevine, redisBatched, redisSingle } from './crew.ts';
import { interleave, type Results, type Sample } from './interleave.ts';
import { measureLatency } from './latency.ts';
import { type ChartFile, figures, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';

/** A second burst among the same processes is left out beyond: each would hold twice as many ids. */
const MOST_AGAIN = 100_000;

/** What was measured with so many updates and processes. */
interface Place {
  readonly updates: number;
  readonly size: number;
  readonly results: Results;
}

/** One line of a chart. */
interface Curve {
  readonly entrant: Entrant;
  readonly figure: string;
  /** Said behind the name of the contestant. @default nothing */
  readonly what?: string;
  readonly mark?: Series['mark'];
}

interface Plan {
  readonly name: string;
  readonly title: string;
  readonly subtitle: string;
  readonly over: 'updates' | 'size';
  readonly y: Axis;
  readonly places: readonly Place[];
  readonly curves: readonly Curve[];
}

export async function growth({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  const ours = grapevine(protocols[0] ?? 'hybrid');
  const batched = [floor, redisBatched, ours];
  const single = [floor, redisSingle, ours];
  const shown = quick ? { updates: 1000, size: 4 } : { updates: 100_000, size: 8 };

  const bursts: Place[] = [];
  for (const updates of quick ? [100, 1000] : [1000, 10_000, 100_000, 1_000_000])
    for (const size of quick ? [2, 4] : [2, 4, 8, 16]) {
      const load = { updates, size, again: updates <= MOST_AGAIN };
      const results = await interleave(runs, batched, (entrant) => measureCost(entrant, load, { seed }));
      bursts.push({ updates, size, results });
      for (const entrant of batched)
        console.log(`growth: ${burstRow({ updates, size, results }, entrant).join(' | ')}`);
    }

  const latencies: Place[] = [];
  const [count, compiling] = quick ? [50, 50] : [300, 1000];
  for (const size of quick ? [2, 4] : [2, 4, 8, 16, 32]) {
    const results = await interleave(runs, single, (entrant, run) =>
      measureLatency(entrant, { count, compiling, run, size }, { seed }),
    );
    latencies.push({ updates: 1, size, results });
    for (const entrant of single)
      console.log(`growth: ${latencyRow({ updates: 1, size, results }, entrant).join(' | ')}`);
  }

  const fresh = (figure: string): Curve[] => batched.map((entrant) => ({ entrant, figure }));
  const nanoseconds: Axis = { label: 'ns', scale: 'log' };
  const overUpdates = {
    over: 'updates',
    places: bursts.filter(({ size }) => size === shown.size),
    subtitle: `of a burst among ${shown.size} processes, fresh but where it says "again"`,
  } as const;
  const overSizes = {
    over: 'size',
    places: bursts.filter(({ updates }) => updates === shown.updates),
    subtitle: `of a burst of ${shown.updates.toLocaleString('en')}, among processes that are fresh`,
  } as const;
  const cpu = 'CPU time of all processes for a delivery';
  const wall = 'Time until the last process has all, for a delivery';
  const again = { entrant: ours, figure: 'warmCpuNs', what: ', again', mark: 'dashes' } as const;
  const plans: readonly Plan[] = [
    { name: 'cpu-by-updates', title: cpu, y: nanoseconds, curves: [...fresh('cpuNs'), again], ...overUpdates },
    { name: 'cpu-by-processes', title: cpu, y: nanoseconds, curves: fresh('cpuNs'), ...overSizes },
    { name: 'wall-by-updates', title: wall, y: nanoseconds, curves: fresh('wallNs'), ...overUpdates },
    { name: 'wall-by-processes', title: wall, y: nanoseconds, curves: fresh('wallNs'), ...overSizes },
    {
      name: 'bytes-by-updates',
      title: 'Bytes for a delivery',
      y: { label: 'bytes' },
      curves: fresh('bytes'),
      ...overUpdates,
    },
    {
      name: 'latency-by-processes',
      title: 'Time until the last process has a single update',
      subtitle: `of ${count}, after V8 has compiled what is used`,
      over: 'size',
      y: { label: 'ms', scale: 'log' },
      places: latencies,
      curves: [
        ...single.map((entrant) => ({ entrant, figure: 'lateP50', what: ', p50' })),
        ...single.map((entrant) => ({ entrant, figure: 'lateP99', what: ', p99', mark: 'dashes' as const })),
      ],
    },
  ];
  return {
    name: 'growth',
    title: 'Updates and processes',
    about:
      'Bursts as in the section [burst](benchmarks.md#burst): node 0 adds S updates in one go, N − 1 others take them. A delivery is one ' +
      'update that has arrived at one process. CPU time is that of all processes together, bytes are those written to all sockets. ' +
      `"Again" is a second burst of S other ids among the same processes, up to S = ${MOST_AGAIN.toLocaleString('en')}. ` +
      'Single updates are as in the section [latency](benchmarks.md#latency), late; beyond 8 processes their pauses are longer by as ' +
      'much as there are more processes. A node sends a single update at once to 16 others; the others have it by rumors, in cycles ' +
      'of `delta` (500 ms here).',
    charts: plans.map(draw),
    tables: [
      table(
        [
          'S',
          'N',
          'who',
          'CPU ns a delivery',
          '× floor',
          'again',
          '× floor',
          'wall ns a delivery',
          '× floor',
          'bytes a delivery',
          'lost',
        ],
        bursts.flatMap((place) => batched.map((entrant) => burstRow(place, entrant))),
      ),
      table(
        ['N', 'who', 'p50 ms', '× floor', 'p99 ms', '× floor'],
        latencies.flatMap((place) => single.map((entrant) => latencyRow(place, entrant))),
      ),
    ],
    bounds: [],
  };
}

/** Nanoseconds and bytes for each delivery. */
async function measureCost(entrant: Entrant, load: Load, options: CrewOptions): Promise<Sample> {
  const {
    wallMs = NaN,
    perCpuSecond = NaN,
    warmPerCpuSecond = NaN,
    bytes = NaN,
    lost = NaN,
  } = await measureBurst(entrant, load, options);
  return {
    cpuNs: 1e9 / perCpuSecond,
    warmCpuNs: 1e9 / warmPerCpuSecond,
    wallNs: (1e6 * wallMs) / (load.updates * (load.size - 1)),
    bytes,
    lost,
  };
}

function burstRow({ updates, size, results }: Place, entrant: Entrant): string[] {
  const absolute = (figure: string): string => figures(results.spread(entrant, figure));
  const relative = (figure: string): string => figures(results.ratio(entrant, figure));
  return [
    updates.toLocaleString('en'),
    String(size),
    entrant.label,
    ...['cpuNs', 'warmCpuNs', 'wallNs'].flatMap((figure) => [absolute(figure), relative(figure)]),
    absolute('bytes'),
    absolute('lost'),
  ];
}

function latencyRow({ size, results }: Place, entrant: Entrant): string[] {
  return [
    String(size),
    entrant.label,
    ...['lateP50', 'lateP99'].flatMap((figure) => [
      figures(results.spread(entrant, figure)),
      figures(results.ratio(entrant, figure)),
    ]),
  ];
}

function draw({ name, title, subtitle, over, y, places, curves }: Plan): ChartFile {
  const x: Axis = over === 'updates' ? { label: 'S, updates', scale: 'log' } : { label: 'N, processes', whole: true };
  const drawn = curves.filter(({ entrant }) => canRun(entrant));
  const contestants = [...new Set(drawn.map(({ entrant }) => entrant))];
  const series = drawn.map(({ entrant, figure, what = '', mark = 'line' }): Series => ({
    name: `${entrant.label}${what}`,
    mark,
    colour: contestants.indexOf(entrant),
    points: places
      .map((place) => ({ x: place[over], spread: place.results.spread(entrant, figure) }))
      // Not measured everywhere.
      .filter(({ spread: { median } }) => Number.isFinite(median))
      .map(({ x: at, spread: { median, min, max } }) => ({ x: at, y: median, low: min, high: max })),
  }));
  const whole = `${title}, over ${over === 'updates' ? 'the number of updates' : 'the number of processes'}`;
  return { name, title: whole, svg: drawChart({ title: whole, subtitle, x, y, series }) };
}
