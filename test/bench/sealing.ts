/**
 * Sealing: what keys cost on plain WebSockets, where every frame is encrypted and authenticated: burst, latency and join, with
 * keys against without, in turn within each round.
 *
 * Source: docs/adr/0015-tls-encrypts-keys-prove.md.
 */
import { measureBurst } from './burst.ts';
import { type Entrant, grapevine } from './crew.ts';
import { interleave, type Results } from './interleave.ts';
import { COMPILING, measureLatency, SIZE } from './latency.ts';
import { measureJoin } from './join.ts';
import { figures, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';

const BURST_SIZE = 8;

/** One row: a figure without keys, with keys, and the ratios of each round. */
interface Row {
  readonly what: string;
  readonly results: Results;
  readonly figure: string;
}

export async function sealing({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  const [protocol = 'hybrid'] = protocols;
  const open = grapevine(protocol);
  const keyed: Entrant = { ...open, label: `${protocol} with keys`, keyed: true };
  const entrants = [open, keyed];
  const [updates, ids, count, compiling] = quick ? [2000, 10_000, 100, 200] : [100_000, 100_000, 500, COMPILING];
  const rows: Row[] = [];
  const add = (title: string, results: Results, names: Readonly<Record<string, string>>): void => {
    for (const [figure, name] of Object.entries(names)) {
      const row: Row = { what: `${title}: ${name}`, results, figure };
      rows.push(row);
      console.log(`sealing: ${cells(row, open, keyed).join(' | ')}`);
    }
  };
  const load = { size: BURST_SIZE, updates };
  add(
    `burst of ${updates.toLocaleString('en')} to ${BURST_SIZE - 1}`,
    await interleave(runs, entrants, (entrant) => measureBurst(entrant, load, { seed })),
    {
      wallMs: 'wall ms',
      perCpuSecond: 'delivered per CPU-second',
      warmWallMs: 'again, wall ms',
      warmPerCpuSecond: 'again, delivered per CPU-second',
      bytes: 'bytes a delivery',
    },
  );
  add(
    `latency to ${SIZE - 1}`,
    await interleave(runs, entrants, (entrant, run) => measureLatency(entrant, { count, compiling, run }, { seed })),
    { earlyP50: 'p50 ms, early', earlyP99: 'p99 ms, early', lateP50: 'p50 ms, late', lateP99: 'p99 ms, late' },
  );
  add(
    `join of ${ids.toLocaleString('en')} ids`,
    await interleave(runs, entrants, (entrant) => measureJoin(entrant, ids, { seed })),
    { ms: 'ms', bytes: 'bytes', cpuMs: 'CPU ms' },
  );
  return {
    name: 'sealing',
    title: 'Keys on plain connections',
    about:
      `The sections burst, latency and join with ${protocol} alone, over plain \`ws:\`: without keys, where frames are as they are, ` +
      'and with keys, where each frame is sealed for each peer (AES-256-GCM). The two run in turn within each round, and each ' +
      'round begins with the other one; "× without" is the median of the ratios within each round. ' +
      '[What a seal gives](adr/0015-tls-encrypts-keys-prove.md).',
    tables: [
      table(
        ['what', 'without keys', 'with keys', '× without'],
        rows.map((row) => cells(row, open, keyed)),
      ),
    ],
    bounds: [],
  };
}

function cells({ what, results, figure }: Row, open: Entrant, keyed: Entrant): string[] {
  return [
    what,
    figures(results.spread(open, figure)),
    figures(results.spread(keyed, figure)),
    figures(results.ratio(keyed, figure, open)),
  ];
}
