/**
 * `npm run chaos`: faults of all kinds against real agents, and whether they bear them.
 *
 * Run from the top of the repository. The exit code is 0 if nothing was lost, nothing came back, and all ended equal.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { readCommandLine } from '../bench/command-line.ts';
import { type ChaosArguments, readArguments, usage } from './arguments.ts';
import { Network } from './network.ts';
import { showFailure, showRound, showSummary, summarize } from './report.ts';
import { isFailed, run } from './run.ts';

async function main({ faults, seed, nodes, without, json, keep }: ChaosArguments): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'grapevine-chaos-'));
  const network = new Network();
  const say = (text: string): void => {
    if (!json) console.log(text);
  };
  const names = Array.from({ length: nodes }, (_, i) => `n${i + 1}`);
  say(`${faults} faults, seed ${seed}, ${nodes} agents; logs in ${folder}`);
  let done = 0;
  try {
    const result = await run({
      root: resolve(),
      folder,
      network,
      faults,
      seed,
      nodes: names,
      without,
      onRound: (round) => say(showRound(round, (done += round.round.faults.length))),
      onNote: say,
    });
    const summary = summarize(seed, nodes, result);
    const failed = result.rounds.some(isFailed);
    if (json) console.log(JSON.stringify(summary));
    else console.log(`\n${showSummary(summary)}`);
    if (failed) console.error(`\n${showFailure(seed, result, folder)}`);
    else if (!keep) rmSync(folder, { recursive: true, force: true });
    process.exitCode = failed ? 1 : 0;
  } catch (error) {
    console.error(`seed ${seed}: ${String((error as Error).stack)}\nlogs in ${folder}`);
    process.exitCode = 1;
  } finally {
    await network.close();
  }
}

// Agents are killed when this process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await main(readCommandLine(usage, readArguments));
// Where thousands of sockets were reset, Node.js may wait for ever for what they still had to write.
process.exit();
