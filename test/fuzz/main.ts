/**
 * The command that fuzzes: exits with 0 when all held, with 1 when something did not, with 2 when the arguments are wrong.
 *
 * Run from the top of the repository by `npm run fuzz`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCommandLine } from '../bench/command-line.ts';
import { readArguments, usage } from './arguments.ts';
import { readCorpus, replay } from './replay.ts';
import { readScript } from './script.ts';
import { countsOf, mebi, type Report, run } from './run.ts';

const args = readCommandLine(usage, readArguments);
if (args.replay !== undefined) {
  // What a liar says in the wild may be said in the names of the honest, who need not agree afterwards.
  const failures = await replay(readScript(readFileSync(args.replay, 'utf8')), false);
  for (const failure of failures) console.error(`FAILED: ${failure}`);
  console.log(failures.length > 0 ? 'Not all held.' : 'All held.');
  process.exitCode = failures.length > 0 ? 1 : 0;
} else {
  const conversations = [...readCorpus(join(process.cwd(), 'test', 'fuzz', 'corpus')).values()].flat();
  const corpus = conversations.filter(({ outcome }) => outcome === 'stays').map(({ frames }) => frames);
  const report = await run({ ...args, corpus, print: (line) => console.log(line) });
  console.log(tableOf(report));
  for (const failure of report.failures) console.error(`FAILED: ${failure}`);
  if (report.tape !== null)
    console.error(
      `The last frames are in ${report.tape}\nnpm run fuzz -- --replay ${report.tape}\nnpm run fuzz -- --seed ${args.seed} --frames ${args.frames}`,
    );
  process.exitCode = report.failures.length > 0 ? 1 : 0;
}

function tableOf({
  frames,
  sessions,
  calls,
  callFrames,
  seconds,
  cpuSeconds,
  ends,
  logged,
  heapBytes,
  peakHeapBytes,
  peakRssBytes,
}: Report): string {
  const [before, after] = heapBytes;
  const change = ((100 * (after - before)) / before).toFixed(1);
  return `
frames read        ${frames}
sessions           ${sessions}
calls of strangers ${calls}, with ${callFrames} frames before a session
time               ${seconds.toFixed(1)} s, ${Math.round(frames / seconds)} frames a second; ${cpuSeconds.toFixed(1)} s of the processor
ends               ${countsOf(ends)}
logged             ${countsOf(logged)}
heap               ${mebi(before)} MiB after the warm-up, ${mebi(after)} MiB at the end (${change} %), ${mebi(peakHeapBytes)} MiB at most
process            ${mebi(peakRssBytes)} MiB at most
`;
}
