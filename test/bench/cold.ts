/**
 * Cold: what a compile cache and a larger young generation of the heap do for the start of an agent and for bursts among processes
 * that have just started.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentProcess } from '@grapevine/cli';
import { measureBurst } from './burst.ts';
import { type Entrant, grapevine } from './crew.ts';
import { interleave, type Results, type Sample } from './interleave.ts';
import { figures, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';

const script = fileURLToPath(new URL('main.js', import.meta.resolve('@grapevine/cli')));
const SIZE = 8;
/** Starts of an agent in a round: a single one takes a fraction of a second, and varies. */
const STARTS = 5;

interface Row {
  readonly what: string;
  readonly results: Results;
  readonly figure: string;
}

export async function cold({ quick, runs, seed, protocols }: Settings): Promise<Section> {
  const [protocol = 'hybrid'] = protocols;
  const folder = mkdtempSync(join(tmpdir(), 'grapevine-compile-cache-'));
  try {
    const cached = { NODE_COMPILE_CACHE: folder };
    const young = ['--min-semi-space-size=16'];
    const plain = grapevine(protocol);
    const entrants: readonly Entrant[] = [
      { ...plain, label: 'as it is' },
      { ...plain, label: 'compile cache', environment: cached },
      { ...plain, label: 'young generation', nodeOptions: young },
      { ...plain, label: 'both', environment: cached, nodeOptions: young },
    ];
    const [asItIs] = entrants as [Entrant];
    const rows: Row[] = [];
    const add = async (
      what: string,
      names: Readonly<Record<string, string>>,
      measure: (entrant: Entrant) => Promise<Sample>,
    ) => {
      // The first run of each fills its cache.
      await interleave(1, entrants, measure);
      const results = await interleave(runs, entrants, measure);
      for (const [figure, name] of Object.entries(names)) {
        const row: Row = { what: `${what}: ${name}`, results, figure };
        rows.push(row);
        console.log(`cold: ${cells(row, entrants, asItIs).join(' | ')}`);
      }
    };
    await add('an agent until it is ready', { wallMs: 'ms', cpuMs: 'CPU ms, its end included' }, measureStart);
    for (const updates of quick ? [1000] : [1000, 10_000])
      await add(
        `burst of ${updates.toLocaleString('en')} to ${SIZE - 1}`,
        { wallMs: 'ms', perCpuSecond: 'delivered per CPU-second' },
        (entrant) => measureBurst(entrant, { size: SIZE, updates, again: false }, { seed }),
      );
    return {
      name: 'cold',
      title: 'Fresh processes',
      about:
        `What two settings of Node.js do for processes of \`${protocol}\` that have just started. *Compile cache*: ` +
        '`NODE_COMPILE_CACHE` names a folder that earlier processes have filled (Node.js 22 and newer; others do nothing with it). ' +
        '*Young generation*: `--min-semi-space-size=16`, so that V8 gives the young generation of the heap its 16 MiB at once and not ' +
        'by and by. All run in turn within each round; "×" is the median of the ratios to "as it is" within each round. An agent is ' +
        `the command, not bundled, ${STARTS} times in a round, one after the other.`,
      tables: [
        table(
          ['what', ...entrants.flatMap(({ label }, index) => (index === 0 ? [label] : [label, '×']))],
          rows.map((row) => cells(row, entrants, asItIs)),
        ),
      ],
      bounds: [],
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A lone agent: from its start to its first line, on average over some. */
async function measureStart({ environment = {}, nodeOptions = [] }: Entrant): Promise<Sample> {
  const sum = { wallMs: 0, cpuMs: 0 };
  for (let start = 0; start < STARTS; start++) {
    const began = performance.now();
    const before = childCpuMs();
    const agent = new AgentProcess({
      name: 'cold',
      script,
      args: ['--listen', '0'],
      runner: ['env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
      runtime: [process.execPath, ...nodeOptions],
    });
    await agent.ready;
    sum.wallMs += performance.now() - began;
    agent.signal('SIGTERM');
    await agent.exited;
    sum.cpuMs += childCpuMs() - before;
  }
  return { wallMs: sum.wallMs / STARTS, cpuMs: sum.cpuMs / STARTS };
}

/** CPU time of the children of this process that have ended, in hundredths of a second on every Linux. */
function childCpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(13, 15);
  return 10 * (Number(user) + Number(system));
}

function cells({ what, results, figure }: Row, entrants: readonly Entrant[], asItIs: Entrant): string[] {
  const one = (entrant: Entrant): string => figures(results.spread(entrant, figure));
  return [
    what,
    ...entrants.flatMap((entrant) =>
      entrant === asItIs ? [one(entrant)] : [one(entrant), figures(results.ratio(entrant, figure, asItIs))],
    ),
  ];
}
