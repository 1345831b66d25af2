/**
 * Join: a fresh process catches up on what three others hold.
 */
import { pass } from './clock.ts';
import { Crew, type CrewOptions, type Entrant, floor, grapevine } from './crew.ts';
import { interleave, type Sample } from './interleave.ts';
import { atMost, figures, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';

const HOLDERS = 3;
const SETTLE_MS = 2000;

export async function join({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  const ids = quick ? 10_000 : 100_000;
  // Pure rumor mongering gives nothing to who comes late.
  const entrants = [floor, ...protocols.filter((protocol) => protocol !== 'rumor').map(grapevine)];
  const ours = entrants.find(({ label }) => label === protocols[0]);
  const results = await interleave(runs, entrants, (entrant) => measureJoin(entrant, ids, { seed }));
  return {
    name: 'join',
    title: 'Join',
    about:
      `A fourth process starts, dials three that hold ${ids.toLocaleString('en')} ids, and catches up: from its start ` +
      'to the moment in which it has told a subscriber of all, and the bytes that all four write meanwhile. On the ' +
      'floor one peer streams its Map to it in frames of 2,000. CPU is that of all processes, the start of the new ' +
      'one included.',
    tables: [
      table(
        ['who', 'ms', '× floor', 'bytes', '× floor', 'CPU ms'],
        entrants.map((entrant) => [
          entrant.label,
          figures(results.spread(entrant, 'ms')),
          figures(results.ratio(entrant, 'ms')),
          figures(results.spread(entrant, 'bytes')),
          figures(results.ratio(entrant, 'bytes')),
          figures(results.spread(entrant, 'cpuMs')),
        ]),
      ),
    ],
    bounds:
      ours === undefined
        ? []
        : [
            atMost(`${ours.label}: time`, 1.25, '× floor', results.ratio(ours, 'ms')),
            atMost(`${ours.label}: bytes`, 2, '× floor', results.ratio(ours, 'bytes')),
          ],
  };
}

export function measureJoin(entrant: Entrant, ids: number, options: CrewOptions): Promise<Sample> {
  return Crew.run(entrant, HOLDERS, options, async (crew) => {
    const whole = crew.whole(ids);
    await crew.writer.call('add', 0, ids);
    await whole;
    await pass(SETTLE_MS);
    const before = await crew.read();
    // The writer of the floor keeps nothing, so its joiner asks one that does; ours asks whom it likes.
    const { member, startedAt } = await crew.join(entrant === floor ? [1] : undefined);
    const [at = NaN] = await crew.whole(ids, [member]);
    const after = await crew.read();
    return { ms: at - startedAt, bytes: after.bytesOut - before.bytesOut, cpuMs: after.cpuMs - before.cpuMs };
  });
}
