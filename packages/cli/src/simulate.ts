/**
 * `grapevine simulate`: the words that it understands.
 *
 * Invariant: what an option of the protocol means is the protocol's to judge; only experiments' own arguments are here.
 */
import { type Command, Option } from 'commander';
import { noOptions, parseScalar } from './protocol-option.ts';
import type { SimulateFlags } from './simulate-flags.ts';
import { fileName, optionPair, share, wholeFrom } from './simulate-arguments.ts';

export function addSimulate(grapevine: Command): void {
  grapevine
    .command('simulate')
    .description('spread one update many times over in virtual time, by the state machines that ship')
    .addOption(
      new Option('--protocol <name>', 'how it spreads').choices(['rumor', 'entropy', 'hybrid']).default('rumor'),
    )
    .addOption(new Option('--direction <way>', 'who calls (default: push)').choices(['push', 'pull', 'push-pull']))
    .addOption(new Option('--feedback', 'only pushes to who knew it already count (default)').conflicts('blind'))
    .option('--blind', 'every push counts, and nobody answers')
    .addOption(
      new Option('--removal <rule>', 'when interest is lost (default: counter)').choices([
        'counter',
        'reset-counter',
        'coin',
      ]),
    )
    .option('--rounds <k>', 'after how many pushes that count; with coin: with probability 1/k', parseScalar)
    .option('--level <peers>', 'how many peers each push goes to; 0: all', parseScalar)
    .addOption(
      new Option('--option <key=value>', 'any other option of the protocol, such as delta=100; may be repeated')
        .argParser(optionPair)
        .default(noOptions(), 'the defaults of the protocol'),
    )
    .option('--nodes <n>', 'how many nodes', wholeFrom(2), 1000)
    .option('--runs <r>', 'how often', wholeFrom(1), 200)
    .option('--seed <s>', 'a whole number; the same seed gives the same figures', wholeFrom(0), 1)
    .option('--loss <p>', 'share of messages that are lost, from 0 to less than 1', share)
    .option('--synchronous', 'in synchronous cycles, as the papers count, instead of by each node’s own clock')
    .addOption(
      new Option(
        '--judged <how>',
        'in synchronous cycles: what was known is judged per batch, as in the paper’s tables, or in order of arrival, as in its equations (default: arrival for removal counter, else batch)',
      ).choices(['batch', 'arrival']),
    )
    .option('--json', 'print the result as one object')
    .option('--plot <file.svg>', 'draw the shares of susceptible, infective and removed nodes over time', fileName)
    .action(async (flags: SimulateFlags) => {
      // The simulator is large, and an agent needs nothing of it.
      const { simulate } = await import('./simulate-run.ts');
      await simulate(flags);
    });
}
