/**
 * The tables of docs/operations.md: what was measured of every row, between two marks.
 *
 * Invariant: only the measurement writes between the marks, and nothing outside them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { figure, table } from '../bench/page.ts';
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

/** The honest figures may be so many times the quiet ones. */
export const mostTimes = 2;

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
  return [...texts.filter((text) => text !== ''), `<sub>${provenance}</sub>`].join('\n\n');
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
    times(quiet, attacked, 'p50', true),
    times(quiet, attacked, 'p99'),
    times(quietAtVictim, attackedAtVictim, 'p50'),
    times(quietAtVictim, attackedAtVictim, 'p99'),
  ];
}

function times(quiet: Latency, attacked: Latency, which: keyof Latency, isBound = false): string {
  const ratio = Number((attacked[which] / quiet[which]).toPrecision(3));
  const text = `× ${figure(ratio)} (${figure(attacked[which])} ms)`;
  return isBound && !(ratio <= mostTimes) ? `**${text}**` : text;
}

/** Puts the tables in their place on the page. */
export function writePage(path: string, text: string): void {
  const page = readFileSync(path, 'utf8');
  const [before, rest] = page.split(marks.begin);
  const after = rest?.split(marks.end)[1];
  if (before === undefined || after === undefined) throw new Error(`${path} has no place for the attacks.`);
  writeFileSync(path, `${before}${marks.begin}\n\n${text}\n\n${marks.end}${after}`);
}
