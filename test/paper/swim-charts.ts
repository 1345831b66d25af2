/**
 * The charts of SWIM in docs/papers.md, of the results alone.
 */
import { drawChart, type Point } from '@grapevine/sim/plot';
import { anomalies, cutNodes, cutWays, FIRST_PICK, joinNodes, loadNodes, losses, ways, waysOf } from './swim-plan.ts';
import {
  deaths,
  estimate,
  falsePositives,
  healingsOf,
  joinsOf,
  leastSuspicionMs,
  loadOf,
  PERIOD_MS,
  spreadBoundMs,
  spreads,
  type SwimResults,
} from './swim-results.ts';

const nodesOf: readonly number[] = losses.map(([nodes]) => nodes);

/** Every chart by the name of its file, without `.svg`. */
export function swimCharts(results: SwimResults): ReadonlyMap<string, string> {
  return new Map([
    ['swim-detection', detection(results)],
    ['swim-spread', spread(results)],
    ['swim-load', load(results)],
    ['swim-false-positives', falsePositivesChart(results)],
    ['swim-join', join(results)],
    ['swim-healing', healing(results)],
  ]);
}

function detection(results: SwimResults): string {
  const points = (key: 'pinged' | 'unanswered' | 'suspected'): Point[] =>
    nodesOf.map((nodes) => {
      const { mean, error } = estimate(deaths(results, nodes).map((death) => (death[key] ?? 0) / PERIOD_MS));
      return { x: nodes, y: mean, low: mean - error, high: mean + error };
    });
  const level = (y: number): Point[] => nodesOf.map((x) => ({ x, y }));
  return drawChart({
    title: 'Until a lost machine is found out',
    subtitle: 'means, the bands ± a standard error; the dashed line is the paper’s e/(e − 1) periods to the first pick',
    x: { label: 'nodes n', scale: 'log', domain: [50, 1000] },
    y: { label: 'probe periods since the loss', domain: [0, 2.5] },
    series: [
      { name: 'first suspicion', points: points('suspected'), colour: 1 },
      { name: 'first unanswered', points: points('unanswered'), colour: 0 },
      { name: 'first picked', points: points('pinged'), colour: 2 },
      { name: 'e/(e − 1)', points: level(FIRST_PICK), mark: 'dashes', colour: 6 },
    ],
  });
}

function spread(results: SwimResults): string {
  const line = (y: (nodes: number) => number): Point[] => nodesOf.map((x) => ({ x, y: y(x) / 1000 }));
  return drawChart({
    title: 'From the first suspicion until the last member knows',
    subtitle: 'a lost machine; means, and circles for the longest of all deaths',
    x: { label: 'nodes n', scale: 'log', domain: [50, 1000] },
    y: { label: 'seconds', domain: [0, 16] },
    series: [
      { name: 'ours', points: line((nodes) => estimate(spreads(results, nodes)).mean), colour: 0 },
      { name: 'the longest', points: line((nodes) => estimate(spreads(results, nodes)).most), mark: 'dots', colour: 1 },
      { name: 'least suspicion', points: line(leastSuspicionMs), mark: 'dashes', colour: 6 },
      { name: '+ log2 n intervals', points: line(spreadBoundMs), mark: 'dashes', colour: 3 },
    ],
  });
}

function load(results: SwimResults): string {
  const first = loadOf(results, loadNodes[0] as number);
  const points = (key: 'messages' | 'bytes'): Point[] =>
    loadNodes.map((nodes) => ({ x: nodes, y: loadOf(results, nodes)[key] / first[key] }));
  const level = (y: number): Point[] => loadNodes.map((x) => ({ x, y }));
  return drawChart({
    title: 'What a member sends while nothing happens',
    subtitle: 'per probe period, as a share of what it sends among 50; the dashed lines are ± 10 %',
    x: { label: 'nodes n', scale: 'log', domain: [50, 1000] },
    y: { label: 'share of the load at n = 50', domain: [0.8, 1.2] },
    series: [
      { name: 'messages', points: points('messages') },
      { name: 'bytes', points: points('bytes') },
      { name: '+10 %', points: level(1.1), mark: 'dashes', colour: 6 },
      { name: '−10 %', points: level(0.9), mark: 'dashes', colour: 6 },
    ],
  });
}

function falsePositivesChart(results: SwimResults): string {
  return drawChart({
    title: 'False positives at healthy members',
    subtitle: '128 members, two minutes of anomalies; by the lines of the table',
    x: { label: 'line of the table', domain: [1, anomalies.length], whole: true },
    y: { label: 'times that a healthy member believed a healthy one down' },
    series: ways.map((way) => ({
      name: way.name,
      points: anomalies.flatMap((anomaly, index) =>
        waysOf(anomaly).includes(way) ? [{ x: index + 1, y: falsePositives(results, anomaly, way).atHealthy }] : [],
      ),
    })),
  });
}

function join(results: SwimResults): string {
  return drawChart({
    title: 'Joining through one seed',
    subtitle: 'until everybody knows everybody; the longest of five runs, from the first start',
    x: { label: 'nodes n', domain: [50, 200] },
    y: { label: 'seconds' },
    series: [
      { startWithinMs: 0, name: 'all at once' },
      { startWithinMs: 2000, name: 'within 2 s' },
    ].map(({ startWithinMs, name }) => ({
      name,
      points: joinNodes.map((nodes) => ({ x: nodes, y: Math.max(...joinsOf(results, nodes, startWithinMs)) / 1000 })),
    })),
  });
}

function healing(results: SwimResults): string {
  const nodes = cutNodes.map(([each]) => each);
  return drawChart({
    title: 'After a cut of half for a minute',
    subtitle: 'from its end until all views are equal; the longest of the runs; 70 s are allowed',
    x: { label: 'nodes n', scale: 'log' },
    y: { label: 'seconds' },
    series: cutWays.map((way) => ({
      name: way === 'both' ? 'both ways' : way,
      points: nodes.map((each) => ({ x: each, y: Math.max(...healingsOf(results, each, way)) / 1000 })),
    })),
  });
}
