/**
 * The command that runs many seeds: prints what it costs, and for the first failure the shortest history it shrinks to.
 */
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type HistoryOptions, type HistoryReport, replayCommand, runHistory, shrink } from '@grapevine/sim';
import { readCommandLine } from '../bench/command-line.ts';
import { readArguments, type SeedArguments, usage } from './arguments.ts';

/** Seeds are handed out one by one: some take far longer than others. */
type ToWorker = number;

function optionsOf(
  { nodes, minutes, protocol, membership, hubs, only, without }: SeedArguments,
  seed: number,
): HistoryOptions {
  return { seed, nodes, minutes, protocol, membership, hubs, only, without };
}

async function main(): Promise<void> {
  const args = readCommandLine(usage, readArguments);
  const began = performance.now();
  const reports = args.seeds === 1 ? [runOne(args)] : await runAll(args);
  const elapsedMs = performance.now() - began;
  const failed = reports.filter((report) => report.violation !== null).sort((a, b) => a.seed - b.seed);
  process.stdout.write(`${summary(args, reports, elapsedMs)}\n`);
  const [first] = failed;
  if (first === undefined) return;
  process.exitCode = 1;
  process.stdout.write(
    `\n${failed.length} of ${reports.length} seeds fail: ${failed.map(({ seed }) => seed).join(', ')}\n`,
  );
  explain(args, first);
}

function runOne(args: SeedArguments): HistoryReport {
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  return runHistory({ ...optionsOf(args, args.from), ...(args.trace ? { print } : {}) });
}

async function runAll(args: SeedArguments): Promise<HistoryReport[]> {
  const reports: HistoryReport[] = [];
  let next = args.from;
  const end = args.from + args.seeds;
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL(import.meta.url), {
      workerData: args,
      // Most of what a history allocates dies young.
      resourceLimits: { maxYoungGenerationSizeMb: 64 },
    });
    try {
      await new Promise<void>((resolve, reject) => {
        worker.on('error', reject);
        worker.on('message', (report: HistoryReport | 'ready') => {
          if (report !== 'ready') {
            reports.push(report);
            progress(reports, args.seeds);
          }
          if (next < end) worker.postMessage(next++);
          else resolve();
        });
      });
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(args.workers, availableParallelism(), args.seeds) }, work));
  return reports;
}

function progress(reports: readonly HistoryReport[], total: number): void {
  if (!process.stderr.isTTY) return;
  const failed = reports.filter(({ violation }) => violation !== null).length;
  process.stderr.write(
    `\r${reports.length} of ${total} seeds, ${failed} failed${reports.length === total ? '\n' : ''}`,
  );
}

function summary(args: SeedArguments, reports: readonly HistoryReport[], elapsedMs: number): string {
  const { nodes } = args;
  const total = (of: (report: HistoryReport) => number): number => reports.reduce((sum, report) => sum + of(report), 0);
  const nodeHours = (total(({ virtualMs }) => virtualMs) * nodes) / 3_600_000;
  const messages: Record<string, number> = {};
  for (const report of reports)
    for (const [type, count] of Object.entries(report.messages)) messages[type] = (messages[type] ?? 0) + count;
  return [
    `${reports.length} seeds, ${nodes} nodes: ${nodeHours.toFixed(1)} simulated node-hours in ${(elapsedMs / 1000).toFixed(1)} s,`,
    `${((nodeHours * 60_000) / elapsedMs).toFixed(0)} node-hours a minute`,
    `${total(({ happenings }) => happenings)} happenings, ${total(({ writes }) => writes)} writes, ${total(({ quietTimes }) => quietTimes)} quiet times;`,
    `all equal after at most ${Math.max(0, ...reports.map(({ cyclesToEqual }) => cyclesToEqual))} cycles`,
    ...(args.membership === 'swim'
      ? [`all views agree after at most ${Math.max(...reports.map(({ msToSettle }) => msToSettle)) / 1000} s`]
      : []),
    `messages: ${Object.entries(messages)
      .sort(([, a], [, b]) => b - a)
      .map(([type, count]) => `${type} ${count}`)
      .join(', ')}`,
    ...(reports.length === 1 ? [`trace ${reports[0]?.trace}`] : []),
  ].join('\n');
}

function explain(args: SeedArguments, failed: HistoryReport): void {
  const { violation, seed } = failed;
  process.stdout.write(
    `\nseed ${seed}, ${(violation?.atMs ?? 0) / 1000} s: rule ${violation?.rule} (${violation?.oracle})\n`,
  );
  process.stdout.write(`  ${violation?.text}\n`);
  if (args.trace) return;
  const { options, report, tries } = shrink(optionsOf(args, seed), failed);
  process.stdout.write(
    `shrunk in ${tries} tries to ${options.nodes} nodes and ${report.operations.length} operations:\n  ${report.violation?.text}\n\nReplay it:\n  ${replayCommand(options)}\n`,
  );
}

if (isMainThread) {
  await main();
} else {
  const args = workerData as SeedArguments;
  parentPort?.on('message', (seed: ToWorker) => parentPort?.postMessage(runHistory(optionsOf(args, seed))));
  parentPort?.postMessage('ready');
}
