/**
 * The part of docs/papers.md about SWIM, of the results alone.
 */
import { anomalies, cutNodes, cutWays, FIRST_PICK, joinNodes, loadNodes, losses, ways, waysOf } from './swim-plan.ts';
import {
  deaths,
  type Estimate,
  estimate,
  falsePositives,
  healingsOf,
  joinsOf,
  leastSuspicionMs,
  loadOf,
  PERIOD_MS,
  quietHours,
  spreadBoundMs,
  spreads,
  type SwimResults,
} from './swim-results.ts';

export function renderSwim(results: SwimResults): string {
  const { nodeHours, suspicions, downs, stalls } = quietHours(results);
  const everyDeath = losses.flatMap(([nodes]) => deaths(results, nodes));
  const pooled = estimate(everyDeath.map(({ unanswered }) => unanswered / PERIOD_MS));
  return `# SWIM with Lifeguard

The same, for the membership: the machine that ships (\`packages/core/src/memberships/swim\`) with its default options
(memberlist's LAN profile: a period of 1 s, a timeout of 500 ms, gossip every 200 ms), in virtual time, seed ${results.seed}, Node
${results.node}; the figures are in [swim.json](papers/swim.json). A message takes 1 to 3 ms. A lost message is gone for good
while its connection stays open, which is harsher than TCP. \`npm run papers -- --swim\` runs this part alone.

## First detection of a crash

SWIM, section 3.1: a member picks one other a period, so a dead one is first picked after e/(e − 1) = ${figure(FIRST_PICK)} periods
on average, if periods are counted whole. Nodes here have clocks of their own and rounds without repetition, so the first
pick comes sooner. Three moments since a machine was **lost** (nothing closes), in periods:

- **picked**: the first ping to it is sent; what the paper's ${figure(FIRST_PICK)} is about;
- **unanswered**: the first ping has gone without an answer for its timeout, half a period: the failure detector's first
  detection, before others are asked. This is held against the bound of 1.6;
- **suspected**: others have asked on somebody's behalf, in vain, and the first suspicion is raised.

${table(
  ['n', 'deaths', 'picked', 'unanswered', 'suspected', 'down at the first'],
  losses.map(([nodes]) => {
    const all = deaths(results, nodes);
    const of = (key: 'unanswered' | 'suspected' | 'downFirst'): string =>
      within(estimate(all.map((death) => death[key] / PERIOD_MS)));
    const picked = within(estimate(all.map(({ pinged }) => (pinged ?? 0) / PERIOD_MS)));
    return [count(nodes), count(all.length), picked, of('unanswered'), of('suspected'), of('downFirst')];
  }),
)}

Over all of them the first question goes unanswered after **${within(pooled)}** periods; few deaths were watched in the largest clusters,
and a mean of so few says little by itself.

![Detection](papers/swim-detection.svg)

When only the **process** crashes its connections close, which is a hint to ask at once: among 100 nodes the first
suspicion is raised after ${figure(estimate(deaths(results, 100, 'crash').map(({ suspected }) => suspected)).mean)} ms (the longest of ${deaths(results, 100, 'crash').length}: ${figure(estimate(deaths(results, 100, 'crash').map(({ suspected }) => suspected)).most)} ms).

## Until everybody knows

From the first suspicion of a lost machine until the last member has it down, in seconds. The time of suspicion shrinks to
its least, 4 max(1, log10 n) periods, once two others confirm; to it come log2 n gossip intervals.

${table(
  ['n', 'deaths', 'mean', 'longest', 'least suspicion', '+ log2 n intervals'],
  losses.map(([nodes]) => {
    const { mean, error, most } = estimate(spreads(results, nodes));
    return [
      count(nodes),
      count(deaths(results, nodes).length),
      within({ mean: mean / 1000, error: error / 1000, most }),
      figure(most / 1000),
      figure(leastSuspicionMs(nodes) / 1000),
      figure(spreadBoundMs(nodes) / 1000),
    ];
  }),
)}

![Spread](papers/swim-spread.svg)

## Load

What a member sends in a period while nothing happens, as in SWIM's section 5.1, where it is constant too. Bytes are those
of the messages; a dial costs a handshake beside them.

${table(
  ['n', 'messages', 'of n = 50', 'bytes', 'of n = 50', 'dials', 'most messages', 'connections', 'most'],
  loadNodes.map((nodes) => {
    const load = loadOf(results, nodes);
    const first = loadOf(results, loadNodes[0] as number);
    return [
      count(nodes),
      figure(load.messages),
      percent(load.messages, first.messages),
      figure(load.bytes),
      percent(load.bytes, first.bytes),
      figure(load.dials),
      figure(load.mostMessages),
      figure(load.links),
      count(load.mostLinks),
    ];
  }),
)}

![Load](papers/swim-load.svg)

## Lifeguard

128 members, of which C are anomalous for two minutes: out of action for D ms, free for I ms, and so on, all at once. This
is a part of the paper's grid (section V). A false positive is a belief that a healthy member is down: at any member (FP),
or at a healthy one (FP−). Plain SWIM is the same machine with \`awarenessMax: 1, suspicionMaxMult: 1, tellSuspects: false\`.

- **blocked** is the paper's anomaly: the member neither sends nor receives, but its timers go on;
- **stopped**: the whole process stands still, as Node.js does. It can then be told of its own stall.

${table(
  ['line', 'kind', 'C', 'D', 'I', ...ways.flatMap(({ name }) => [`${name}: FP`, 'FP−'])],
  anomalies.map((anomaly, index) => [
    String(index + 1),
    anomaly.kind,
    String(anomaly.anomalous),
    count(anomaly.blockedMs),
    count(anomaly.freeMs),
    ...ways.flatMap((way) => {
      if (!waysOf(anomaly).includes(way)) return ['', ''];
      const { all, atHealthy } = falsePositives(results, anomaly, way);
      return [count(all), count(atHealthy)];
    }),
  ]),
)}

${factors(results)}

![False positives](papers/swim-false-positives.svg)

The paper reports more than 50 times fewer false positives. Ours is not the same experiment: the detector of a blocked member
goes on asking here, so that plain SWIM blames one member a period for its own silence. What Lifeguard has left over comes
from the longest stalls. A process that is stopped tells a healthy member nothing false, even by plain SWIM, in these runs:
what is late is judged, and what has arrived meanwhile is read, in the same moment.

## Loss

${count(nodeHours)} node-hours among 100 nodes, nobody dying: 5 % of all messages are lost, and ${count(stalls)} times somebody stood still for up to
3 s. ${count(suspicions)} suspicions were raised, and **${count(downs)}** times somebody was believed down.

## Joining through one seed

Until everybody knows everybody, from the first start, in seconds; five runs each.

${table(
  ['n', 'all at once', 'longest', 'started within 2 s', 'longest'],
  joinNodes.map((nodes) => [
    count(nodes),
    ...[0, 2000].flatMap((startWithinMs) => {
      const { mean, most } = estimate(joinsOf(results, nodes, startWithinMs));
      return [figure(mean / 1000), figure(most / 1000)];
    }),
  ]),
)}

![Joining](papers/swim-join.svg)

## After a cut

Half of the nodes are cut off for a minute: both ways; inward, so that they hear the others no more; or outward, so that they
are not heard. Seconds from the end of the cut until all views are equal: mean, and the longest.

${table(
  ['n', ...cutWays.flatMap((way) => [way === 'both' ? 'both ways' : way, 'longest'])],
  cutNodes.map(([nodes]) => [
    count(nodes),
    ...cutWays.flatMap((way) => {
      const { mean, most } = estimate(healingsOf(results, nodes, way));
      return [figure(mean / 1000), figure(most / 1000)];
    }),
  ]),
)}

![Healing](papers/swim-healing.svg)
`;
}

/** By how much Lifeguard is better over all lines of one kind. */
function factors(results: SwimResults): string {
  const sum = (kind: string, way: (typeof ways)[number]): number =>
    anomalies
      .filter((anomaly) => anomaly.kind === kind && waysOf(anomaly).includes(way))
      .reduce((all, anomaly) => all + falsePositives(results, anomaly, way).atHealthy, 0);
  const [bare, lifeguard] = ways as [(typeof ways)[number], (typeof ways)[number], (typeof ways)[number]];
  const before = sum('blocked', bare);
  const after = sum('blocked', lifeguard);
  return `Over all lines of the paper's kind: ${count(before)} FP− without Lifeguard, ${count(after)} with it${
    after > 0 ? `, ${count(before / after)} times fewer` : ''
  }.`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function within({ mean, error }: Estimate): string {
  return `${figure(mean)} ± ${String(Number(error.toPrecision(1)))}`;
}

function figure(value: number): string {
  return Math.abs(value) >= 1000 ? count(value) : String(Number(value.toPrecision(3)));
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function percent(value: number, expected: number): string {
  const difference = Math.round((value / expected - 1) * 1000) / 10;
  return `${difference > 0 ? '+' : difference < 0 ? '−' : ''}${Math.abs(difference)} %`;
}
