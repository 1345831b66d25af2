/**
 * Memory: what an id costs, itself and its value included.
 */
import { pass } from './clock.ts';
import { Crew, type CrewOptions, type Entrant, floor, grapevine, redisBatched } from './crew.ts';
import { interleave, type Sample } from './interleave.ts';
import { atMost, figures, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';

const SETTLE_MS = 3000;
const WARM_UP = 1000;
const EXPIRES_IN_MS = 3_600_000;

async function measureMemory(entrant: Entrant, ids: number, options: CrewOptions): Promise<Sample> {
  const { written, received, removed } = await measureIds(entrant, ids, options);
  // The others know neither tombstones nor expiry, and their writers keep nothing.
  if (entrant.module !== 'grapevine') return { received };
  const { received: expiring } = await measureIds(entrant, ids, options, EXPIRES_IN_MS);
  return { written, received, removed, expiring };
}

/** Bytes an id at a writer and at a receiver, and at the receiver after all ids were removed. */
function measureIds(
  entrant: Entrant,
  ids: number,
  options: CrewOptions,
  expiresInMs?: number,
): Promise<{ written: number; received: number; removed: number }> {
  return Crew.run(entrant, 2, options, async (crew) => {
    const heaps = (): Promise<number[]> => crew.all((member) => member.call('heapBytes'));
    // What the first updates compile and allocate is no cost of an id.
    const warm = crew.whole(WARM_UP);
    await crew.writer.call('add', ids, WARM_UP, expiresInMs);
    await warm;
    await pass(SETTLE_MS);
    const empty = await heaps();
    const grown = (heap: readonly number[], index: number): number =>
      ((heap[index] as number) - (empty[index] as number)) / ids;

    const whole = crew.whole(ids + WARM_UP);
    await crew.writer.call('add', 0, ids, expiresInMs);
    await whole;
    await pass(SETTLE_MS);
    const full = await heaps();
    const held = { written: grown(full, 0), received: grown(full, 1) };
    if (entrant.module !== 'grapevine' || expiresInMs !== undefined) return { ...held, removed: NaN };

    await crew.writer.call('remove', 0, ids);
    if (!(await crew.fallen(WARM_UP))) throw new Error(`${entrant.label}: not all removals arrived.`);
    await pass(SETTLE_MS);
    return { ...held, removed: grown(await heaps(), 1) };
  });
}

export async function memory({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  const ids = quick ? 10_000 : 100_000;
  const entrants = [floor, redisBatched, ...protocols.map(grapevine)];
  const ours = entrants.find(({ label }) => label === protocols[0]);
  const results = await interleave(runs, entrants, (entrant) => measureMemory(entrant, ids, { seed }));
  return {
    name: 'memory',
    title: 'Memory',
    about:
      `Bytes of heap and of buffers beside it, after full collections, for each of ${ids.toLocaleString('en')} ids of ` +
      '`{ value: n }`, id and value included. Where they were written, where they were received, as tombstones, and with ' +
      '`expiresIn`.',
    tables: [
      table(
        ['who', 'written here', 'received', 'tombstone', 'expiring'],
        entrants.map((entrant) => [
          entrant.label,
          ...['written', 'received', 'removed', 'expiring'].map((name) => figures(results.spread(entrant, name))),
        ]),
      ),
    ],
    bounds:
      ours === undefined
        ? []
        : [
            atMost(`${ours.label}: written here`, 250, 'bytes an id', results.spread(ours, 'written')),
            atMost(`${ours.label}: received`, 135, 'bytes an id', results.spread(ours, 'received')),
            atMost(`${ours.label}: tombstone`, 250, 'bytes an id', results.spread(ours, 'removed')),
            atMost(`${ours.label}: expiring`, 250, 'bytes an id', results.spread(ours, 'expiring')),
          ],
  };
}
