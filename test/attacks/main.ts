/**
 * The attacks, measured: each row runs against a company of its own, and all together write their tables of docs/operations.md.
 *
 * Run from the top of the repository by `npm run attacks`.
 */
import { join, resolve } from 'node:path';
import { readCommandLine } from '../bench/command-line.ts';
import { provenanceOf } from '../bench/page.ts';
import { afterProof, beforeProof } from './catalogue.ts';
import { type Finding, measure } from './measure.ts';
import { cellsOf, missedBounds, render, writePage } from './page.ts';
import { settingsFrom, usage } from './settings.ts';

const parts = [
  { title: '**Before they have proven themselves:**', rows: beforeProof },
  { title: '**Proven members that are up to no good:**', rows: afterProof },
];
const rows = [...beforeProof, ...afterProof];
const ids = rows.map(({ id }) => id);
const { only, all, seconds, rounds, seed, json, profile } = readCommandLine(usage, (args) => settingsFrom(args, ids));
const provenance = provenanceOf({ runs: rounds, seed });
const findings = new Map<string, Finding>();
const failures: string[] = [];
const missed: string[] = [];
for (const row of rows) {
  if (!only.includes(row.id)) continue;
  const finding = await measure(row, { windowMs: 1000 * seconds, rounds, seed, profileFolder: profile });
  findings.set(row.id, finding);
  print(json ? JSON.stringify(finding) : `${row.id}: ${cellsOf(row, finding).slice(1).join(' | ')}`);
  failures.push(...finding.problems.map((problem) => `${row.id}: ${problem}`));
  missed.push(...missedBounds(finding));
}
if (failures.length === 0 && !json) {
  const text = render(parts, findings, `${provenance} · windows of ${seconds} s`);
  if (all) writePage(join(resolve(), 'docs', 'operations.md'), text);
  else print(`\n${text}`);
}
// A missed bound is a result, and stands on the page; what differs from the catalogue is none.
for (const line of [...failures, ...(json ? [] : missed)]) process.stderr.write(`${line}\n`);
if (failures.length > 0) process.exitCode = 1;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
