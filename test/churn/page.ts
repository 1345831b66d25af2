/**
 * What came of the churn: its part of docs/operations.md, between its marks, and two charts.
 *
 * Invariant: only this writes there; the rest of the page stays as it is.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawChart, type Series } from '@grapevine/sim/plot';
import { figure, provenanceOf, table } from '../bench/page.ts';
import { median } from '../bench/statistics.ts';
import { type Course, LODGINGS, RESIDENTS, type Sample } from './churn.ts';
import type { Counts } from './resident.ts';
import type { Settings } from './settings.ts';
import { type Flatness, flatness, SHIFT_AT_MOST, SLOPE_AT_MOST } from './verdict.ts';
import type { Memory } from './vitals.ts';

/** Of one process. */
export interface Finding {
  readonly who: string;
  readonly flatness: Flatness;
  /** Compiled code on the heap at the begin, after the warm-up, and at the end. */
  readonly codeMb: readonly [number, number];
  readonly rssMb: number;
}

interface Reading {
  readonly atMin: number;
  readonly memory: Memory;
}

const alive = ({ heapMb, externalMb }: Memory): number => heapMb + externalMb;

/** What was read of each process that was there from the begin to the end. */
function processes({ samples, vacancies }: Course): ReadonlyMap<string, readonly Reading[]> {
  const read = new Map<string, readonly Reading[]>();
  for (let index = 0; index < RESIDENTS; index++)
    read.set(
      `resident ${index + 1}`,
      samples.flatMap(({ atMin, residents }) => {
        const memory = residents[index]?.memory;
        return memory === undefined ? [] : [{ atMin, memory }];
      }),
    );
  for (let index = 0; index < LODGINGS; index++)
    read.set(
      `lodging ${index + 1}`,
      vacancies.filter(({ lodging }) => lodging === index),
    );
  return read;
}

/** Whether memory of each process is flat after the warm-up. */
export function judge(course: Course, { warmUpMs }: Settings): Finding[] {
  return [...processes(course)].map(([who, readings]) => {
    const warm = readings.filter(({ atMin }) => atMin * 60_000 >= warmUpMs);
    return {
      who,
      flatness: flatness(warm.map(({ atMin, memory }) => ({ x: atMin, y: alive(memory) }))),
      codeMb: [warm[0]?.memory.codeMb ?? NaN, warm.at(-1)?.memory.codeMb ?? NaN],
      rssMb: median(warm.map(({ memory }) => memory.rssMb)),
    };
  });
}

const percent = (share: number): string => `${share < 0 ? '−' : '+'}${figure(Math.abs(share) * 100)} %`;

/** How memory of each process went. */
function verdictsOf(findings: readonly Finding[]): string {
  return table(
    ['process', 'median MB', 'slope an hour', 'last fifth to first', 'of it code, first and last MB', 'RSS MB', 'flat'],
    findings.map(({ who, codeMb, rssMb, flatness: { medianMb, perHour, shift, isFlat } }) => [
      who,
      figure(medianMb),
      percent(perHour),
      percent(shift),
      codeMb.map(figure).join(' → '),
      figure(rssMb),
      isFlat ? 'yes' : '**no**',
    ]),
  );
}

/** What repeats the run. */
function commandOf({ durationMs, warmUpMs, sampleEveryMs, seed, interpreted }: Settings): string {
  const minutes = (ms: number): string => figure(ms / 60_000);
  const times = `--minutes ${minutes(durationMs)} --warm-up ${minutes(warmUpMs)} --sample ${figure(sampleEveryMs / 1000)}`;
  return `npm run churn -- ${times} --seed ${seed}${interpreted ? ' --interpreted' : ''}`;
}

/** The part of the page for a run in which V8 compiled nothing in those who stay. */
function renderInterpreted({ end }: Course, findings: readonly Finding[], settings: Settings): string {
  const residents = findings.slice(0, RESIDENTS);
  return [
    verdictsOf(residents),
    ...(residents.every(({ flatness: { isFlat } }) => isFlat) ? [] : ['**Memory was not flat.**']),
    ...(end.isClean ? [] : ['**In the end those who stayed were not equal, or had not forgotten all.**']),
    `<sub>\`${commandOf(settings)}\` · ${provenanceOf({ runs: 1, seed: settings.seed })}</sub>`,
  ].join('\n\n');
}

/** The part of the page for a run as it ships. */
function renderCompiled({ samples, guests, end }: Course, findings: readonly Finding[], settings: Settings): string {
  const { durationMs, warmUpMs, seed, horizons, joinEveryMs, lifeMs, idsPerSecond, breakEveryMs } = settings;
  const minutes = durationMs / 60_000;
  const last = samples.at(-1)?.residents ?? [];
  const added = last.reduce((sum, { deeds }) => sum + deeds.added, 0);
  const broken = last.reduce((sum, { deeds }) => sum + deeds.broken, 0);
  const counted = (name: keyof Counts): string => {
    const counts = samples
      .filter(({ atMin }) => atMin * 60_000 >= warmUpMs)
      .flatMap(({ residents }) => residents.map(({ counts: each }) => each[name]));
    return `${figure(median(counts))} (${figure(Math.min(...counts))}–${figure(Math.max(...counts))})`;
  };
  const names = ['members', 'roster', 'links', 'ids', 'tombstones', 'origins'] as const;
  const held = findings.every((finding) => finding.flatness.isFlat);
  return [
    `${RESIDENTS} nodes stay for ${figure(minutes)} minutes, each a process of its own, with SWIM, keys, an instance of \`hybrid\` and ` +
      `one of \`entropy\`. Meanwhile a node joins every ${figure(joinEveryMs / 1000)} s under a name that was never there and is gone ` +
      `after ${lifeMs.map((ms) => figure(ms / 1000)).join(' to ')} s: of ${figure(guests.joined)}, ${figure(guests.left)} left, ` +
      `${figure(guests.closed)} were closed without a goodbye and ${figure(guests.killed)} killed. ${figure(idsPerSecond)} new ids a ` +
      `second (${figure(added)}) live for 2 to 10 s; a third expires, a third is removed, a third changed and removed. Each of those ` +
      `who stay has one of its connections reset every ${figure(breakEveryMs / 1000)} s (${figure(broken)}), and readers of all changes ` +
      `that are replaced every second; ${figure(guests.asked)} times somebody asked from outside who is there. All options are the ` +
      `defaults but those by which things are forgotten, so that it happens within the run: \`forgetAfter: ${horizons.forgetAfterMs}\`, ` +
      `\`tombstoneTtl: ${horizons.tombstoneTtlMs}\`.`,
    '![Memory under endless churn](operations/churn-memory.svg)',
    `Memory is what is alive on the heap and beside it, after full collections every ${figure(settings.sampleEveryMs / 1000)} s. It ` +
      `counts as flat if, after a warm-up of ${figure(warmUpMs / 60_000)} minutes, its slope (Theil–Sen), carried on to an hour, is ` +
      `within ±${figure(SLOPE_AT_MOST * 100)} % of its median, and the median of the last fifth within ±${figure(SHIFT_AT_MOST * 100)} % ` +
      'of that of the first. Lodgings are the two processes in which most of those live that come and go: in turn for half a minute, ' +
      'and measured when they have been empty for a while, once a minute.',
    verdictsOf(findings),
    '![What nodes remember under endless churn](operations/churn-counts.svg)',
    table(
      ['of those who stay, after the warm-up', 'median (extremes)'],
      names.map((name) => [
        {
          members: 'members',
          roster: 'members, and who is gone',
          links: 'connections',
          ids: 'ids',
          tombstones: 'tombstones',
          origins: 'origins',
        }[name],
        counted(name),
      ]),
    ),
    end.isClean
      ? `Once nobody wrote and the last guest had gone, it took ${figure(end.tookMs / 1000)} s until all were equal, held no id and no ` +
        'tombstone, and knew nobody but each other.'
      : '**In the end those who stayed were not equal, or had not forgotten all.**',
    ...(held ? [] : ['**Memory was not flat.**']),
    `<sub>\`${commandOf(settings)}\` · ${provenanceOf({ runs: 1, seed })}</sub>`,
  ].join('\n\n');
}

/** The part of the page. */
export function render(course: Course, findings: readonly Finding[], settings: Settings): string {
  return (settings.interpreted ? renderInterpreted : renderCompiled)(course, findings, settings);
}

/** Writes the charts, of a run as it ships, and the part of the page. */
export function writePage(docs: string, course: Course, findings: readonly Finding[], settings: Settings): void {
  const folder = join(docs, 'operations');
  mkdirSync(folder, { recursive: true });
  if (!settings.interpreted) for (const [name, svg] of charts(course)) writeFileSync(join(folder, `${name}.svg`), svg);
  const path = join(docs, 'operations.md');
  const page = readFileSync(path, 'utf8');
  const marked = settings.interpreted
    ? /(<!-- churn, interpreted -->\n)[\s\S]*?(\n<!-- end -->)/
    : /(<!-- churn -->\n)[\s\S]*?(\n<!-- end -->)/;
  if (!marked.test(page)) throw new Error(`${path} has lost the marks between which this writes.`);
  writeFileSync(
    path,
    page.replace(marked, (_all, begin: string, end: string) => `${begin}${render(course, findings, settings)}${end}`),
  );
}

function charts(course: Course): ReadonlyMap<string, string> {
  const { samples } = course;
  const x = { label: 'minutes of churn' };
  const line = (name: string, y: (sample: Sample) => number): Series => ({
    name,
    points: samples.map((sample) => ({ x: sample.atMin, y: y(sample) })),
  });
  const first = (name: keyof Counts) => (sample: Sample) => sample.residents[0]?.counts[name] ?? NaN;
  return new Map([
    [
      'churn-memory',
      drawChart({
        title: 'Memory under endless churn of ids, nodes and connections',
        subtitle: 'heap that is alive and what it owns beside it, after full collections, in MB',
        x,
        y: { label: 'MB' },
        series: [
          ...[...processes(course)].map(([name, readings]) => ({
            name,
            points: readings.map(({ atMin, memory }) => ({ x: atMin, y: alive(memory) })),
          })),
          line('resident 1, its code', ({ residents }) => residents[0]?.memory.codeMb ?? NaN),
        ],
      }),
    ],
    [
      'churn-counts',
      drawChart({
        title: 'What a node remembers under endless churn',
        subtitle: 'of resident 1, over both instances',
        x,
        y: { label: 'how many', scale: 'log' },
        series: [
          line('tombstones', first('tombstones')),
          line('ids', first('ids')),
          line('origins', first('origins')),
          line('known members', first('roster')),
          line('members', first('members')),
          line('connections', first('links')),
        ],
      }),
    ],
  ]);
}
