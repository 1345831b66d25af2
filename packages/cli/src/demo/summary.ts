/**
 * What the demo found, as one object and as text for people.
 *
 * Invariant: the two say the same; `lost` counts copies, one for each node that lacks an update at the end.
 */
import { showDuration } from '../duration.ts';
import { type Paint, WIDTH } from './scene.ts';

export interface Summary {
  readonly nodes: number;
  /** Written. */
  readonly updates: number;
  /** Copies that are where they should be at the end: one for each update and node. */
  readonly delivered: number;
  readonly lost: number;
  /** Of single updates, from the write until the last living node has it. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
  /** How many single updates were measured. */
  readonly measured: number;
  /** From the kill until the last of the others knew; null if somebody never did. */
  readonly noticedMs: number | null;
  /** From the first sign of life of the restarted node until it held everything; null if it never did. */
  readonly caughtUpMs: number | null;
  /** Whether all replicas ended equal, by content and by hash. */
  readonly equal: boolean;
  /** How many agents ended otherwise than they should. */
  readonly crashed: number;
}

export function hasPassed({ lost, equal, caughtUpMs, crashed }: Summary): boolean {
  return lost === 0 && equal && caughtUpMs !== null && crashed === 0;
}

export function renderSummary(summary: Summary, paint: Paint): string[] {
  const { nodes, updates, delivered, lost, p50Ms, p99Ms, maxMs, measured, noticedMs, caughtUpMs, equal } = summary;
  const count = (value: number): string => value.toLocaleString('en');
  const rows: readonly (readonly [string, string])[] = [
    [
      'updates',
      `${count(updates)} written, ${count(delivered)} of ${count(updates * nodes)} copies delivered, ${count(lost)} lost`,
    ],
    [
      'everywhere',
      `after ${show(p50Ms)} (p50), ${show(p99Ms)} (p99), ${show(maxMs)} at most; ${count(measured)} measured`,
    ],
    [
      'killed node',
      noticedMs === null ? 'not noticed by all the others' : `noticed by all the others after ${show(noticedMs)}`,
    ],
    ['restarted', caughtUpMs === null ? 'did not catch up' : `had everything again after ${show(caughtUpMs)}`],
    ['replicas', equal ? `all ${nodes} equal, by content and by hash` : 'differ'],
  ];
  const passed = hasPassed(summary);
  return [
    '',
    paint('dim', '─'.repeat(WIDTH)),
    ...rows.map(([label, text]) => `${paint('dim', label.padEnd(14))}${text}`),
    '',
    passed ? paint('good', '✔ nothing was lost') : paint('bad', '✖ something went wrong: see above'),
    '',
  ].map((line) => (line === '' ? '' : ` ${line}`));
}

function show(durationMs: number | null): string {
  return durationMs === null ? 'never' : showDuration(durationMs);
}
