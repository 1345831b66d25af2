/**
 * docs/papers.md, of the results alone.
 */
import type { Mean, Summary } from '@grapevine/sim';
import {
  analyticResidue,
  directions,
  entropySites,
  HELD_UPDATES,
  losses,
  lossyProtocols,
  type PaperLine,
  pittel,
  pittelSites,
  table1,
  table2,
  table3,
  variations,
} from './plan.ts';
import type { Results } from './results.ts';
import { renderSwim } from './swim-page.ts';
import type { SwimResults } from './swim-results.ts';

export function renderPage(results: Results, swimResults: SwimResults): string {
  const of = (key: string): Summary => results.summaries[key] as Summary;
  return `# The papers, run again

Gossip is judged by probabilities. This page runs the experiments of the papers that Grapevine comes from with the very
state machines that ship (\`packages/core\`), and sets our figures beside theirs. It is written by \`npm run papers\`, seed
${results.seed}, on Node ${results.node}; the figures are in [results.json](papers/results.json). Each is a mean over runs, ± its
standard error. The same seed gives the same figures on every machine.

## How it is counted

Demers et al. count on 1,000 sites, one update, in **synchronous cycles**:

- In a cycle every infective site (for pull, every site) calls one other, chosen uniformly. Only when all have called is
  each site handed what it got, as **one batch**: whether it "already knew" is judged against the start of the cycle.
- A rumor travels by its dot after its writer's first push; who lacks it asks, and the value follows. These questions and
  answers, and the feedback, are carried **within the cycle**, in waves, until nothing is under way. So a push infects in
  its own cycle, as it does in the paper, where the value travels with it; who is infected acts **from the next cycle on**.
- **s**, the residue, is the share of sites that never get the update. **m**, the traffic, is dots pushed per site, useful
  or not, and whether or not the value had to follow. **t_avg** and **t_last** are when a site that gets it at all has it,
  on average and at the latest; the writer has it at time 0.
- Our options for it are \`eager: false\` (one push a \`delta\`), \`removal: 'reset-counter'\` (a useful push resets the
  counter) and \`rounds: k\`.

Two things are the network's in the experiments: it draws whom a site calls (a machine sees a stand-in for "one of the
others"; that a list of all names gives the same is a test), and a limit of connections with its hunting.

![The course of a rumor](papers/course.svg)

## Rumor mongering: push, feedback, counter

Table 1 of Demers et al. 1987.

${paperTable('table1', table1, of)}

![Table 1](papers/table1.svg)

s, m and t_last agree for every k. t_avg does not: ours is one to three cycles shorter, and it is not forced. In a push
epidemic most sites are infected in the few cycles of its steepest growth, long before the last; for pull (table 3 below),
counted the same way, t_avg agrees.

### The cumulative counter

The original Elixir library counts every useless push and never starts anew, and it judges messages one by one as they
come in. That is \`removal: 'counter'\` (the default), and it follows the paper's differential equation,
s = e^(−(k+1)(1−s)), for contacts one after the other:

${table(
  ['k', 's', 'analytic', 'differs by', 'm', 't_last'],
  table1.map(({ k }) => {
    const { residue, traffic, tLast } = of(`cumulative-${k}`);
    const analytic = analyticResidue(k);
    return [String(k), mean(residue), figure(analytic), percent(residue.mean, analytic), mean(traffic), mean(tLast)];
  }),
)}

![Both counters](papers/cumulative.svg)

## Blind, with a coin

Table 2: push, no feedback; after each push interest is lost with probability 1/k.

${paperTable('table2', table2, of)}

![Table 2](papers/table2.svg)

m and t_last agree for every k, and s up to k = 3. For k = 4 and 5 ours is a tenth below the paper's: it follows
s = e^(−k(1−s)), which a blind coin ought to (0.0198 and 0.0070), and e^(−m), and the paper's figures are a little above both.
(At k = 1 the writer's push is the only one that most rumors make: most runs end at once and a few go on for long, whence
the large errors of the times.) t_avg is shorter again.

## Pull

Table 3: pull, feedback and counter, by the paper's footnote: what several callers say in one cycle counts once, as useful
if any of them needed it.

${paperTable('table3', table3, of)}

![Table 3](papers/table3.svg)

All of it agrees, t_avg too. The residue of k = 3 is four sites in a million; so many runs were not made, and none was
left over in ours. A pull costs a message a cycle and site even when there is no news; the paper does not count those, and
neither does m here.

## Residue and traffic

The paper observes that all kinds of push share s = e^(−m): what counts is how much is sent, not how it is decided. So it is
here, for counters and for coins:

![Residue over traffic](papers/traffic.svg)

## The rest of the design space

1,000 sites; the counter is reset by a useful push, with feedback, unless the line says otherwise.

${table(
  ['variation', 's', 'm', 'e^(−m)', 't_avg', 't_last'],
  variations.map(({ key, title }) => {
    const { residue, traffic, tAvg, tLast } = of(key);
    return [title, mean(residue), mean(traffic), figure(Math.exp(-traffic.mean)), mean(tAvg), mean(tLast)];
  }),
)}

- **Connection limit.** As the paper says, it helps push, since it is the useless pushes that are turned away: less
  residue for less traffic. The paper's s = e^(−λm) with λ = 1/(1 − e⁻¹) ≈ 1.58 supposes that every site pushes in every
  cycle; with counters most have stopped by the end, and ours lies between e^(−m) and that. It hurts pull, as the paper says:
  who is turned away has missed its cycle.
- **Hunting** (here four more tries) makes push faster, and it gives pull its speed back, but not its residue: with one
  caller a cycle the footnote's rule, by which one needy caller among several resets the counter, has nothing to add up, so
  sites lose interest sooner than they would without a limit.
- **Push-pull with minimisation**: where both know, only the smaller counter rises. Machines do not tell each other their
  counters, so this is no option of the protocol; in the experiment the network, which can count along, holds back the
  feedback that the rule forbids. It leaves a smaller residue for more traffic.

## Pittel: push alone

B. Pittel 1987: if everybody who has it pushes for ever, the last of n sites has it after log2 n + ln n + O(1) cycles.

${table(
  ['n', 'cycles', 'log2 n + ln n', 'difference'],
  pittelSites.map((n) => {
    const { tLast } = of(`pittel-${n}`);
    return [n.toLocaleString('en'), mean(tLast), figure(pittel(n)), figure(tLast.mean - pittel(n))];
  }),
)}

![Pittel](papers/pittel.svg)

## Anti-entropy

Cycles until all of n sites have one update, each comparing with one other a cycle:

${table(
  ['n', ...directions, 'log2 n + ln n'],
  entropySites.map((n) => [
    String(n),
    ...directions.map((direction) => mean(of(`entropy-${direction}-${n}`).tLast)),
    figure(pittel(n)),
  ]),
)}

![Anti-entropy](papers/entropy.svg)

Push follows Pittel's law: at the end each of the few that lack it waits to be called. Pull and push-pull end much faster,
as in the paper's recurrence p² (a site that lacks it calls one that has it, almost surely).

And what it costs to catch up: two replicas share ids with small values like \`{ value: 12345 }\`, ${HELD_UPDATES.toLocaleString('en')} in all, of which
one lacks d; every frame of the exchange counted, both ways.

${table(
  ['d', 'missed', 'bytes', 'of which the updates', 'the rest', 'frames', 'updates sent'],
  results.catchingUp.map(({ missing, where, bytes, updateBytes, messages, sent }) => [
    missing.toLocaleString('en'),
    missing === 0 ? 'none' : where === 'newest' ? 'the newest' : where,
    bytes.toLocaleString('en'),
    updateBytes.toLocaleString('en'),
    (bytes - updateBytes).toLocaleString('en'),
    String(messages),
    sent.toLocaleString('en'),
  ]),
)}

![Catching up](papers/catching-up.svg)

Only what is missing is sent. What is beside it is the two hashes and the two contexts: constant where the newest are missing
(a peer was away), some two bytes a gap where they are scattered.

## Under loss

100 sites by their own clocks, default options, \`delta\` 500 ms; each message is lost with the given probability, whatever
it is, and nothing below repeats it (over TCP a connection would break instead; this is the harder case). Residue, and
cycles until the last site that gets it has it.

${table(
  ['loss', ...lossyProtocols.flatMap((name) => [`${name}: s`, 't_last', 'bytes per site'])],
  losses.map((share) => [
    `${share * 100} %`,
    ...lossyProtocols.flatMap((name) => {
      const { residue, tLast, bytes } = of(`loss-${name}-${share}`);
      return [mean(residue), mean(tLast), mean(bytes)];
    }),
  ]),
)}

![Loss](papers/loss.svg)

A lost push or a lost answer moves no counter, so rumors are sent again: they take longer and cost more. They also reach
fewer, since a value that is asked for can be lost too, and who lacks it asks only those who told it of the rumor. Entropy
and hybrid end with everybody having it, always. They pay with time: an exchange takes several messages, the loss of any one
of them stops it until the patience with a silent peer ends (five seconds, ten of these cycles), and so they feel such loss
more than rumors do. Over TCP a break of the connection tells them at once.

${renderSwim(swimResults)}`;
}

function paperTable(name: string, lines: readonly PaperLine[], of: (key: string) => Summary): string {
  return table(
    ['k', 'runs', 's', 'paper', 'm', 'paper', 't_avg', 'paper', 't_last', 'paper'],
    lines.map(({ k, s, m, tAvg, tLast }) => {
      const ours = of(`${name}-${k}`);
      const beside = (of_: Mean, paper: number): string[] => [
        mean(of_),
        `${figure(paper)} (${percent(of_.mean, paper)})`,
      ];
      return [
        String(k),
        String(ours.runs),
        ...beside(ours.residue, s),
        ...beside(ours.traffic, m),
        ...beside(ours.tAvg, tAvg),
        ...beside(ours.tLast, tLast),
      ];
    }),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** With as many digits as the error leaves meaning to. */
function mean({ mean: value, error }: Mean): string {
  return error === 0 ? figure(value) : `${figure(value)} ± ${String(Number(error.toPrecision(1)))}`;
}

function figure(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

function percent(value: number, expected: number): string {
  const difference = Math.round((value / expected - 1) * 1000) / 10;
  return `${difference > 0 ? '+' : difference < 0 ? '−' : ''}${Math.abs(difference)} %`;
}
