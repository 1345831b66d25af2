/**
 * `grapevine advise`: the words that it understands.
 */
import type { Command } from 'commander';
import type { AdviseFlags } from './advise-flags.ts';
import { above, share, target, wholeFrom } from './simulate-arguments.ts';

export function addAdvise(grapevine: Command): void {
  grapevine
    .command('advise')
    .description('find the cheapest options by which a node gets an update as surely as asked, by simulation')
    .requiredOption('--nodes <n>', 'how many nodes', wholeFrom(2))
    .requiredOption('--target <p>', 'how surely a node gets an update, such as 0.999999', target)
    .option('--delta <ms>', 'one cycle, in milliseconds', wholeFrom(1), 500)
    .option('--rate <updates>', 'updates a second in the whole cluster: what idle costs weigh against', above(0), 1)
    .option('--loss <p>', 'share of messages that are lost, from 0 to less than 1', share, 0)
    .option('--seed <s>', 'a whole number; the same seed gives the same advice', wholeFrom(0), 1)
    .option('--json', 'print the answer as one object')
    .action(async (flags: AdviseFlags) => {
      const { advise } = await import('./advise-run.ts');
      await advise(flags);
    });
}
