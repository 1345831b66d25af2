/**
 * The pages of results, `docs/benchmarks.md` and `docs/benchmarks-growth.md`: one section a benchmark, each with the run that it
 * comes from.
 *
 * Invariants
 *  1. Only the benchmarks write them; a benchmark replaces its own section and charts, and leaves the others as they were.
 *  2. A section says of which machine, versions, seed and day it is: sections may be of different runs.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Spread } from './statistics.ts';

/** A promise about a figure, and what came of it. */
export interface Bound {
  readonly what: string;
  readonly limit: string;
  readonly measured: string;
  /** Null: not measured. */
  readonly held: boolean | null;
}

/** A picture of figures, written to a file of its own beside the page. */
export interface ChartFile {
  /** Of the file, without its ending. */
  readonly name: string;
  readonly title: string;
  /** A whole SVG document. */
  readonly svg: string;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  /** What is measured, and how, in some sentences. */
  readonly about: string;
  /** Stand before the tables. @default none */
  readonly charts?: readonly ChartFile[];
  readonly tables: readonly string[];
  readonly bounds: readonly Bound[];
  /** How often it was measured, where that is not up to the settings. */
  readonly runs?: number;
}

/** Three significant digits, thousands apart. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** The median with the extremes where there was more than one run. */
export function figures({ median, min, max }: Spread): string {
  return min === max || !Number.isFinite(median) ? figure(median) : `${figure(median)} (${figure(min)}–${figure(max)})`;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** A bound from above: the median must not exceed the limit. */
export function atMost(what: string, limit: number, unit: string, measured: Spread): Bound {
  return {
    what,
    limit: `at most ${limit} ${unit}`.trim(),
    measured: figures(measured),
    held: measured.median <= limit,
  };
}

/** A bound from below. */
export function atLeast(what: string, limit: number, unit: string, measured: Spread): Bound {
  return {
    what,
    limit: `at least ${limit} ${unit}`.trim(),
    measured: figures(measured),
    held: measured.median >= limit,
  };
}

/** A bound whose figure needs what is not here. */
export function unmeasured(bound: Bound, why: string): Bound {
  return { ...bound, measured: why, held: null };
}

function resultOf(held: boolean | null): string {
  if (held === null) return 'not measured';
  return held ? 'held' : '**missed**';
}

export function render(section: Section, provenance: string): string {
  const { title, about, charts = [], tables, bounds } = section;
  const images = charts.map((chart) => `![${chart.title}](${CHARTS}/${chart.name}.svg)`);
  const parts = [`## ${title}`, about, ...images, ...tables];
  if (bounds.length > 0)
    parts.push(
      table(
        ['bound', 'limit', 'measured', 'result'],
        bounds.map(({ what, limit, measured, held }) => [what, limit, measured, resultOf(held)]),
      ),
    );
  parts.push(`<sub>${provenance}</sub>`);
  return parts.join('\n\n');
}

/** The folder of charts, beside the pages. */
const CHARTS = 'benchmarks';

interface Page {
  readonly file: string;
  readonly preface: string;
  /** Names of its sections. */
  readonly order: readonly string[];
}

const beside = `Beside ours, in the same rounds and in turn with it, runs the floor: plain \`ws\` and \`msgpackr\` with
record structures, ids and values by turns, 2,000 updates a frame, straight from the writer to everybody, a Map at the
receiver that reads every value; no versions, no repair, no supervision. Where there is a row for it, so does Redis: the
updates published through a \`redis-server\` on the same machine, by \`ioredis\`, to a Map at each subscriber; its CPU time and
its bytes count like those of the processes.`;

const pages: readonly Page[] = [
  {
    file: 'benchmarks.md',
    preface: `# Benchmarks

Written by \`npm run bench\`; do not edit. [How cost grows](benchmarks-growth.md) with the number of updates and of processes is
a page of its own.

Every node is an operating-system process of its own, all on one machine, connected in a full mesh over loopback, unless a
section says otherwise. ${beside} Figures are medians over the rounds, with the extremes in brackets; "× floor" and
"× Redis" are medians of the ratios within each round, which is what to trust: absolute figures drift with the machine.`,
    order: ['burst', 'latency', 'idle', 'join', 'sealing', 'memory', 'cold', 'membership', 'crowd', 'networks'],
  },
  {
    file: 'benchmarks-growth.md',
    preface: `# How cost grows

Written by \`npm run bench\`; do not edit. The [benchmarks](benchmarks.md) have the bounds that ours is held to.

Every node is an operating-system process of its own, all on one machine, connected in a full mesh over loopback. ${beside}
Figures are medians over the rounds, with the extremes in brackets or as a band. The processes of a larger cluster share the
processors of one machine: where N grows, what is measured is work, and not what N machines would take.`,
    order: ['growth', 'million'],
  },
];

/** Puts the section in its place on its page, and its charts beside that. @param docs the folder of the pages */
export function writeSection(docs: string, section: Section, provenance: string): void {
  const page = pages.find(({ order }) => order.includes(section.name));
  if (page === undefined) throw new Error(`No page has a section '${section.name}'.`);
  const path = join(docs, page.file);
  const sections = new Map<string, string>();
  if (existsSync(path))
    for (const [, name, text] of readFileSync(path, 'utf8').matchAll(/<!-- (\w+) -->\n([\s\S]*?)\n<!-- end -->/g))
      sections.set(name as string, text as string);
  sections.set(section.name, render(section, provenance));
  const known = page.order.filter((name) => sections.has(name));
  const body = known.map((name) => `<!-- ${name} -->\n${sections.get(name) as string}\n<!-- end -->`);
  mkdirSync(join(docs, CHARTS), { recursive: true });
  for (const { name, svg } of section.charts ?? []) writeFileSync(join(docs, CHARTS, `${name}.svg`), svg);
  writeFileSync(path, `${[page.preface, ...body].join('\n\n')}\n`);
}

/** One line: machine and how busy it was with other things, versions, seed, day. */
export function provenanceOf({
  runs,
  seed,
  load = loadavg()[0] ?? NaN,
  busyShare,
  peers = [],
}: {
  readonly runs: number;
  readonly seed: number;
  /** How much of all processors other things took before, from 0 to 1; left out where it was not looked at. */
  readonly busyShare?: number;
  /** Other programs that were measured, with their versions. @default none */
  readonly peers?: readonly string[];
  /** Of the machine, before it was made busy. @default what it is now */
  readonly load?: number;
}): string {
  const versionOf = (name: string): string =>
    `${name} ${(JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as { version: string }).version}`;
  const processors = cpus();
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${process.platform} ${process.arch}`,
    `Node ${process.versions.node}`,
    ...['ws', 'msgpackr', 'nact', '@grapevine/actors'].map(versionOf),
    ...peers,
    `${runs} ${runs === 1 ? 'round' : 'rounds'}`,
    `seed ${seed}`,
    `load of the machine before ${figure(load)}`,
    ...(busyShare === undefined ? [] : [`processors taken by other things before ${figure(100 * busyShare)} %`]),
    new Date().toISOString().slice(0, 10),
  ].join(' · ');
}
