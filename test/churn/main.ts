/**
 * Endless churn: is memory flat while ids, nodes and connections come and go without end? Writes its part of
 * docs/operations.md and the charts beside it.
 *
 * Run from the top of the repository by `npm run churn`. Exit code 1 where memory is not flat, or where what stays does
 * not become equal and forget all.
 */
import { join, resolve } from 'node:path';
import { readCommandLine } from '../bench/command-line.ts';
import { churn, type Sample } from './churn.ts';
import { judge, render, writePage } from './page.ts';
import { settingsFrom, usage } from './settings.ts';

const settings = readCommandLine(usage, settingsFrom);
const course = await churn(settings, (sample) => settings.quick || print(sample));
const findings = judge(course, settings);

console.log(JSON.stringify({ guests: course.guests, end: course.end }, null, 1));
if (!settings.quick) {
  console.log(render(course, findings, settings));
  writePage(join(resolve(), 'docs'), course, findings, settings);
}
const isFlat = settings.quick || findings.every(({ flatness }) => flatness.isFlat);
if (!isFlat) console.error('Memory is not flat.');
if (!course.end.isClean) console.error('Those who stayed are not equal, or have not forgotten all.');
process.exitCode = isFlat && course.end.isClean ? 0 : 1;

function print({ atMin, residents }: Sample): void {
  const [first] = residents;
  if (first === undefined) return;
  const heaps = residents.map(({ memory: { heapMb, externalMb } }) => (heapMb + externalMb).toFixed(2));
  const counts = Object.entries(first.counts).map(([name, count]) => `${name} ${count}`);
  console.log(
    `${atMin.toFixed(1).padStart(6)} min  ${heaps.join(' ')} MB  rss ${first.memory.rssMb.toFixed(0)}  resources ${first.memory.resources}  ${counts.join(' ')}`,
  );
}
