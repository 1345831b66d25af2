/**
 * Burst: node 0 adds many updates at once; how long until the last of N processes has them all, and at what cost.
 */
import { pass } from './clock.ts';
import { canRun, Crew, type CrewOptions, type Entrant, floor, grapevine, redisBatched, redisSingle } from './crew.ts';
import { interleave, type Results, type Sample } from './interleave.ts';
import { atLeast, atMost, type Bound, figure, figures, type Section, table, unmeasured } from './page.ts';
import type { FunctionTime } from './profile.ts';
import type { Settings } from './settings.ts';

const SETTLE_MS = 500;
const LARGE = 100_000;
/** More of one message each takes Redis many seconds. */
const MOST_SINGLE = 10_000;
const PROFILED_FUNCTIONS = 15;

export interface Load {
  readonly size: number;
  readonly updates: number;
  /** Whether there is a second burst. @default true */
  readonly again?: boolean;
}

export async function burst({ quick, runs, seed, protocols, profile }: Settings): Promise<Section> {
  const all = [floor, redisBatched, redisSingle, ...protocols.map(grapevine)];
  const ours = all.find(({ label }) => label === protocols[0]);
  const rows: string[][] = [];
  const bounds: Bound[] = [];
  for (const size of quick ? [2, 8] : [2, 4, 8])
    for (const updates of quick ? [1000, 10_000] : [1000, 10_000, LARGE]) {
      const load = { size, updates };
      const entrants = updates <= MOST_SINGLE ? all : all.filter((entrant) => entrant !== redisSingle);
      const results = await interleave(runs, entrants, (entrant) => measureBurst(entrant, load, { seed }));
      rows.push(...entrants.map((entrant) => row(entrant, load, results)));
      if (ours !== undefined) bounds.push(...boundsOf(ours, load, results));
    }
  const tables = [
    table(
      [
        'N',
        'S',
        'who',
        'wall ms',
        '× floor',
        'delivered per CPU-second',
        '× floor',
        'again: wall × floor',
        'again: per CPU-second × floor',
        'bytes a delivery',
        'lost',
      ],
      rows,
    ),
  ];
  if (ours !== undefined && (profile || bounds.some(({ held }) => held === false)))
    tables.push(...(await profiles(ours, { size: 8, updates: quick ? 10_000 : LARGE }, { seed })));
  return {
    name: 'burst',
    title: 'Burst',
    about:
      'Node 0 adds S updates, ids `k12345` and values `{ value: 12345 }`, one `add` message each, in one go; the clock ' +
      'stops when the last of N processes has told a subscriber of all of them, which reads every value. Redis is given ' +
      '500 updates a message, or one. Delivered per CPU-second counts the ' +
      'updates that arrived at the other N − 1 processes against the CPU time of all N together. Bytes are those ' +
      'written to all sockets, framing included, per delivery. The processes are fresh, so that compiling what runs for ' +
      'the first time is in the figures, and so may be the first full garbage collection of a process (some 10 ms, due ' +
      'where its heap passes the limit that V8 begins with: `node --initial-heap-size=64` puts it off); "again" is a second burst of S other ids among the same processes. Every ' +
      'receiver is checked to hold the right values. Pure rumor mongering may lose: that is its nature.',
    tables,
    bounds,
  };
}

/** Two bursts among the same processes: the first meets them fresh, the second with what it ran compiled. */
export function measureBurst(
  entrant: Entrant,
  { size, updates, again = true }: Load,
  options: CrewOptions,
): Promise<Sample> {
  return Crew.run(entrant, size, options, async (crew) => {
    await pass(SETTLE_MS);
    const first = await burstOf(crew, 0, updates);
    // The rest of a first burst that was not whole must not count for the second.
    const second =
      first.lost > 0 || !again ? nothing : await pass(SETTLE_MS).then(() => burstOf(crew, updates, updates));
    if (first.lost + second.lost === 0) await verify(crew, entrant, again ? 2 * updates : updates);
    return {
      ...first,
      warmWallMs: second.wallMs,
      warmPerCpuSecond: second.perCpuSecond,
      lost: first.lost + second.lost,
    };
  });
}

interface Outcome {
  readonly wallMs: number;
  readonly perCpuSecond: number;
  readonly bytes: number;
  readonly lost: number;
}

const nothing: Outcome = { wallMs: NaN, perCpuSecond: NaN, bytes: NaN, lost: 0 };

/** Node 0 adds so many updates to those that all hold. */
async function burstOf(crew: Crew, held: number, updates: number): Promise<Outcome> {
  const before = await crew.read();
  const arrivals = crew.arrivals(held + updates);
  const startedAt = await crew.writer.call('add', held, updates);
  const times = await arrivals;
  const after = await crew.read();
  const holdings = await Promise.all(crew.receivers.map((member) => member.call('held')));
  const delivered = holdings.reduce((sum, count) => sum + count - held, 0);
  return {
    wallMs: times === undefined ? NaN : Math.max(...times) - startedAt,
    perCpuSecond: (delivered / (after.cpuMs - before.cpuMs)) * 1e3,
    bytes: (after.bytesOut - before.bytesOut) / delivered,
    lost: updates * crew.receivers.length - delivered,
  };
}

/** Whoever holds as many ids as were written holds the right values. */
async function verify(crew: Crew, { label }: Entrant, updates: number): Promise<void> {
  const right = (updates * (updates - 1)) / 2;
  const sums = await Promise.all(crew.receivers.map((member) => member.call('sum')));
  if (sums.some((sum) => sum !== right))
    throw new Error(`${label}: values sum up to ${sums.join(', ')}, not ${right}.`);
}

function row(entrant: Entrant, { size, updates }: Load, results: Results): string[] {
  const cells = [
    String(size),
    updates.toLocaleString('en'),
    entrant.label,
    figures(results.spread(entrant, 'wallMs')),
    figures(results.ratio(entrant, 'wallMs')),
    figures(results.spread(entrant, 'perCpuSecond')),
    figures(results.ratio(entrant, 'perCpuSecond')),
    figures(results.ratio(entrant, 'warmWallMs')),
    figures(results.ratio(entrant, 'warmPerCpuSecond')),
    figures(results.spread(entrant, 'bytes')),
    figures(results.spread(entrant, 'lost')),
  ];
  console.log(`burst: ${cells.join(' | ')}`);
  return cells;
}

/** The bounds on a burst of a size. */
function boundsOf(ours: Entrant, { size, updates }: Load, results: Results): Bound[] {
  const where = `${ours.label}, N = ${size}, S = ${updates.toLocaleString('en')}`;
  const wall = (limit: number): Bound => atMost(`${where}: wall time`, limit, '× floor', results.ratio(ours, 'wallMs'));
  const perCpu = (limit: number): Bound =>
    atLeast(`${where}: delivered per CPU-second`, limit, '× floor', results.ratio(ours, 'perCpuSecond'));
  switch (`${size} ${updates}`) {
    case '2 10000':
      return [wall(2.5)];
    case `2 ${LARGE}`:
      return [wall(1.3)];
    case '8 1000':
      return [wall(2.5)];
    case '8 10000':
      return [perCpu(0.5)];
    case `8 ${LARGE}`:
      return [
        wall(1.25),
        againstRedis(atMost(`${where}: wall time`, 1, '× Redis by 500', results.ratio(ours, 'wallMs', redisBatched))),
        perCpu(0.85),
        atMost(`${where}: bytes on the wire a delivery`, 25, '', results.spread(ours, 'bytes')),
        atMost(`${where}: lost`, 0, '', results.spread(ours, 'lost')),
      ];
    default:
      return [];
  }
}

export function againstRedis(bound: Bound): Bound {
  return canRun(redisBatched) ? bound : unmeasured(bound, 'redis-server is not installed');
}

/** Where the writer and a receiver of one more burst spend their time, sampled; not among the measured runs. */
function profiles(entrant: Entrant, { size, updates }: Load, options: CrewOptions): Promise<string[]> {
  return Crew.run(entrant, size, options, async (crew) => {
    await pass(SETTLE_MS);
    const [receiver] = crew.receivers;
    if (receiver === undefined) return [];
    const roles = [crew.writer, receiver];
    await Promise.all(roles.map((member) => member.call('startProfile')));
    const arrivals = crew.arrivals(updates);
    await crew.writer.call('add', 0, updates);
    await arrivals;
    const [writer = [], reader = []] = await Promise.all(roles.map((member) => member.call('stopProfile')));
    const rows = (times: readonly FunctionTime[]): string[][] => {
      const total = times.reduce((sum, { ms }) => sum + ms, 0);
      return times
        .slice(0, PROFILED_FUNCTIONS)
        .map(({ name, ms }) => [`\`${name}\``, figure(ms), `${figure((100 * ms) / total)} %`]);
    };
    const where = `${entrant.label}, N = ${size}, S = ${updates.toLocaleString('en')}`;
    return [
      table([`writer (${where}): function`, 'self ms', 'share'], rows(writer)),
      table([`receiver (${where}): function`, 'self ms', 'share'], rows(reader)),
    ];
  });
}
