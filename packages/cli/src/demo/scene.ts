/**
 * What the demo shows, as lines of text: a table of what one node knows, the measured latencies, and the story so far.
 *
 * Invariants
 *  1. Everything shown about a node was heard by the node that is watched, through gossip and its membership.
 *  2. No line is wider than `WIDTH`.
 */
import { styleText } from 'node:util';

import { showDuration } from '../duration.ts';
import type { Vitals } from '../vitals.ts';

export const WIDTH = 78;

export interface NodeRow {
  readonly name: string;
  readonly up: boolean;
  /** What it gossiped last, while that has not expired. */
  readonly vitals: Vitals | undefined;
  /** How long ago that was heard, in milliseconds. */
  readonly heardMs: number | undefined;
}

export interface Latency {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** The last ones, in milliseconds, oldest first. */
  readonly recent: readonly number[];
}

export interface Episode {
  readonly atMs: number;
  readonly text: string;
  readonly tone: Tone;
}

export interface Scene {
  /** The node whose knowledge is shown. */
  readonly watched: string;
  readonly elapsedMs: number;
  readonly forMs: number;
  readonly rows: readonly NodeRow[];
  readonly latency: Latency | undefined;
  readonly story: readonly Episode[];
}

export type Tone = 'plain' | 'good' | 'bad' | 'dim' | 'bold' | 'busy';
export type Paint = (tone: Tone, text: string) => string;

const styles = { plain: 'reset', good: 'green', bad: 'red', dim: 'dim', bold: 'bold', busy: 'cyan' } as const;

export const colours: Paint = (tone, text) => (tone === 'plain' ? text : styleText(styles[tone], text));
export const noColours: Paint = (_tone, text) => text;

/** Heading and width of each column behind the state; all are numbers, so all stand right. */
const columns: readonly (readonly [heading: string, width: number, show: (vitals: Vitals) => string])[] = [
  ['cpu', 8, ({ cpu }) => `${cpu.toFixed(1)} %`],
  ['memory', 10, ({ rss }) => `${rss.toFixed(0)} MB`],
  ['heap', 8, ({ heap }) => `${heap.toFixed(0)} MB`],
  ['loop p99', 11, ({ delay }) => `${delay.toFixed(1)} ms`],
  ['ids', 9, ({ ids }) => ids.toLocaleString('en')],
];
const HEARD_WIDTH = 12;
const NAME_WIDTH = 10;
const STATE_WIDTH = 8;

export function renderScene(scene: Scene, paint: Paint): string[] {
  return [
    '',
    ...title(scene, paint),
    '',
    ...table(scene, paint),
    '',
    ...latencies(scene.latency, paint),
    '',
    ...scene.story.map((episode) => renderEpisode(episode, paint)),
  ].map((line) => (line === '' ? '' : ` ${line}`));
}

export function renderEpisode({ atMs, text, tone }: Episode, paint: Paint): string {
  return `${paint('dim', `${(atMs / 1000).toFixed(1)} s`.padStart(8))}  ${paint(tone, text)}`;
}

function title({ elapsedMs, forMs, rows }: Scene, paint: Paint): string[] {
  const left = `${rows.length} processes, every one linked to every other`;
  const right = `${(elapsedMs / 1000).toFixed(0)} of ${showSeconds(forMs)}`;
  const done = Math.round(Math.min(1, elapsedMs / forMs) * WIDTH);
  return [
    `${paint('bold', 'grapevine demo')}   ${left}${right.padStart(WIDTH - 17 - left.length)}`,
    paint('busy', '━'.repeat(done)) + paint('dim', '─'.repeat(WIDTH - done)),
  ];
}

function table({ watched, rows }: Scene, paint: Paint): string[] {
  const head = columns.map(([heading, width]) => heading.padStart(width)).join('');
  return [
    paint('dim', 'node'.padEnd(NAME_WIDTH + 2) + 'state'.padEnd(STATE_WIDTH) + head + 'heard'.padStart(HEARD_WIDTH)),
    ...rows.map((row) => tableRow(row, paint)),
    paint('dim', `  as ${watched} knows it, by gossip alone`),
  ];
}

function tableRow({ name, up, vitals, heardMs }: NodeRow, paint: Paint): string {
  const cells = columns.map(([, width, show]) => (vitals === undefined ? '·' : show(vitals)).padStart(width)).join('');
  const heard = (heardMs === undefined ? '·' : `${(heardMs / 1000).toFixed(1)} s ago`).padStart(HEARD_WIDTH);
  const tone = up ? 'good' : 'bad';
  const known = up ? cells + heard : paint('dim', cells + heard);
  return `${paint(tone, up ? '●' : '✖')} ${name.padEnd(NAME_WIDTH)}${paint(tone, (up ? 'up' : 'down').padEnd(STATE_WIDTH))}${known}`;
}

function latencies(latency: Latency | undefined, paint: Paint): string[] {
  const heading = paint('dim', 'single updates, from the write until the last living node has it');
  if (latency === undefined) return [heading, paint('dim', 'none yet')];
  const { count, p50Ms, p99Ms, recent } = latency;
  const figures = `${`${count.toLocaleString('en')} measured`.padEnd(16)}p50 ${showDuration(p50Ms).padEnd(10)}p99 ${showDuration(p99Ms).padEnd(10)}`;
  return [heading, `${figures}${paint('busy', sparkline(recent, WIDTH - figures.length))}`];
}

/** One bar a value, of logarithmic height from 0.25 to 32 milliseconds. */
function sparkline(values: readonly number[], width: number): string {
  return values
    .slice(-width)
    .map((value) => '▁▂▃▄▅▆▇█'[Math.min(7, Math.max(0, Math.round(Math.log2(Math.max(value, 0.01) * 4))))])
    .join('');
}

function showSeconds(durationMs: number): string {
  return `${Number((durationMs / 1000).toFixed(1))} s`;
}
