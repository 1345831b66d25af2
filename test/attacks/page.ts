/**
 * The tables of docs/operations.md: what was measured of every row, between two marks.
 *
 * Invariant: only the measurement writes between the marks, and nothing outside them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { figure, figures, table } from '../bench/page.ts';
import { spread } from '../bench/statistics.ts';
import type { Row } from './catalogue.ts';
import type { Finding, Latency } from './measure.ts';

const marks = { begin: '<!-- attacks: written by `npm run attacks`; do not edit -->', end: '<!-- end of attacks -->' };

const head = [
  'who comes',
  'what he sees',
  'logged',
  'a second',
  'bytes to him',
  'bytes from him',
  'he holds ms',
  'CPU ms',
  'honest p50',
  'honest p99',
  'victim p50',
  'victim p99',
];

/** The honest figures may be so many times the quiet ones, each of them. */
const mostTimes = 2;
const bounded = ['p50', 'p99'] as const;

export interface Part {
  readonly title: string;
  readonly rows: readonly Row[];
}

export function render(parts: readonly Part[], findings: ReadonlyMap<string, Finding>, provenance: string): string {
  const texts = parts.map(({ title, rows }) => {
    const cells = rows.flatMap((row) => {
      const finding = findings.get(row.id);
      return finding === undefined ? [] : [cellsOf(row, finding)];
    });
    return cells.length === 0 ? '' : `${title}\n\n${words(table(head, cells))}`;
  });
  const notes = `${provenance} · ${behindP99([...findings.values()])}`;
  return [...texts.filter((text) => text !== ''), `<sub>${notes}</sub>`].join('\n\n');
}

/** How many updates the p99 of honest nodes rest on, and how far it differs where nobody attacks. */
function behindP99(findings: readonly Finding[]): string {
  const counts = (which: 'quiet' | 'attacked'): string => {
    const { min, max } = spread(findings.map((finding) => finding[which].count));
    return min === max ? figure(min) : `${figure(min)} to ${figure(max)}`;
  };
  const noise = spread(findings.map(({ quietP99s }) => Math.max(...quietP99s) / Math.min(...quietP99s)));
  return `honest p99 of ${counts('attacked')} updates under attack and of ${counts('quiet')} in the calmest quiet window · greatest p99 of the quiet windows of a row ÷ smallest: ${figures(noise)}`;
}

/** A sentence for each figure of honest nodes that is more than twice the quiet one. */
export function missedBounds({ id, quiet, attacked }: Finding): string[] {
  return bounded
    .filter((which) => isMissed(quiet, attacked, which))
    .map(
      (which) =>
        `${id}: honest nodes are ${figure(timesAsLong(quiet, attacked, which))} times as slow as in peace at ${which}`,
    );
}

/** The first three columns are words, and begin on the left. */
function words(text: string): string {
  return text.replace('| --- | ---: | ---: |', '| --- | --- | --- |');
}

export function cellsOf(row: Row, finding: Finding): string[] {
  const { logs, sees, who, lasting } = row;
  const { perSecond, bytesIn, bytesOut, heldMs, cpuMs, quiet, attacked, quietAtVictim, attackedAtVictim } = finding;
  const per = (value: number): string => `${figure(value)}${lasting === true ? ' a second' : ''}`;
  return [
    who,
    sees,
    logs.length === 0 ? 'nothing' : logs.map((code) => `\`${code}\``).join(', '),
    lasting === true ? '–' : figure(perSecond),
    per(bytesIn),
    per(bytesOut),
    row.saw.test('stopped') ? 'as long as he likes' : figure(heldMs),
    per(cpuMs),
    ...bounded.map((which) => {
      const text = times(quiet, attacked, which);
      return isMissed(quiet, attacked, which) ? `**${text}**` : text;
    }),
    times(quietAtVictim, attackedAtVictim, 'p50'),
    times(quietAtVictim, attackedAtVictim, 'p99'),
  ];
}

function times(quiet: Latency, attacked: Latency, which: (typeof bounded)[number]): string {
  return `× ${figure(timesAsLong(quiet, attacked, which))} (${figure(attacked[which])} ms)`;
}

function isMissed(quiet: Latency, attacked: Latency, which: (typeof bounded)[number]): boolean {
  return !(timesAsLong(quiet, attacked, which) <= mostTimes);
}

/** To three digits, rounded up: no figure is within the bound because it was rounded. */
function timesAsLong(quiet: Latency, attacked: Latency, which: (typeof bounded)[number]): number {
  const ratio = attacked[which] / quiet[which];
  const unit = 10 ** (Math.floor(Math.log10(ratio)) - 2);
  return Number((Math.ceil(ratio / unit) * unit).toPrecision(3));
}

/** Puts the tables in their place on the page. */
export function writePage(path: string, text: string): void {
  const page = readFileSync(path, 'utf8');
  const [before, rest] = page.split(marks.begin);
  const after = rest?.split(marks.end)[1];
  if (before === undefined || after === undefined) throw new Error(`${path} has no place for the attacks.`);
  writeFileSync(path, `${before}${marks.begin}\n\n${text}\n\n${marks.end}${after}`);
}
