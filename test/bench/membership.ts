/**
 * Membership among real processes: joining, dying, standing still, being restarted one after the other; and two hundred.
 */
import { pass } from './clock.ts';
import { Fleet } from './fleet.ts';
import { atMost, type Bound, figure, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';
import { median, spread } from './statistics.ts';

const IDS = 500;
const GOSSIP = 'grapevine';

/** Starts them, all but the first at once, and joins them through the first. @returns when all were ready */
async function launch(fleet: Fleet, count: number): Promise<void> {
  await fleet.start('n000', []);
  const names = Array.from({ length: count - 1 }, (_, i) => `n${String(i + 1).padStart(3, '0')}`);
  await Promise.all(names.map((name) => fleet.start(name, ['n000'])));
}

export async function membership({ quick, runs }: Settings): Promise<Section> {
  const count = quick ? 10 : 50;
  const measured: Record<'join' | 'kill' | 'paused' | 'alive' | 'held' | 'rolling', number[]> = {
    join: [],
    kill: [],
    paused: [],
    alive: [],
    held: [],
    rolling: [],
  };
  for (let run = 0; run < runs; run++) {
    const fleet = new Fleet();
    try {
      await launch(fleet, count);
      measured.join.push((await fleet.until(() => fleet.isWhole, 60_000)) / 1000);
      const ids = Array.from({ length: IDS }, (_, i) => `id ${i}`);
      const { names } = fleet;
      ids.forEach((id, i) => fleet.agents.get(names[i % names.length] as string)?.write({ id, value: i }));
      const holdAll = (): boolean =>
        [...fleet.agents.values()].every((agent) => ids.every((id) => agent.replica(GOSSIP).has(id)));
      await fleet.until(holdAll, 60_000);

      const victim = names.at(-1) as string;
      await fleet.stop(victim, 'SIGKILL');
      measured.kill.push((await fleet.until(() => fleet.areGone([victim]), 60_000)) / 1000);

      fleet.said = [];
      for (const paused of names.slice(1, 4)) {
        fleet.agents.get(paused)?.signal('SIGSTOP');
        await pass(3000);
        fleet.agents.get(paused)?.signal('SIGCONT');
        await pass(quick ? 2000 : 10_000);
      }
      measured.paused.push(fleet.said.filter(({ event }) => event === 'nodedown').length);

      const beganMs = performance.now();
      await fleet.start(victim, ['n000', 'n001']);
      for (const [index, name] of names.entries()) {
        const nextMs = beganMs + 1000 * (index + 1);
        const others = names.filter((other) => other !== name);
        await fleet.stop(name, 'SIGTERM');
        await fleet.start(name, [
          others[index % others.length] as string,
          others[(index + 7) % others.length] as string,
        ]);
        await pass(Math.max(0, nextMs - performance.now()));
      }
      measured.rolling.push((performance.now() - beganMs) / 1000);
      await fleet.until(() => fleet.isWhole && holdAll(), 60_000);
      measured.alive.push([...fleet.agents.values()].filter(({ members }) => members.size === count - 1).length);
      measured.held.push(
        [...fleet.agents.values()].filter((agent) => ids.every((id) => agent.replica(GOSSIP).has(id))).length,
      );
    } finally {
      await fleet.end();
    }
  }
  const all = (what: string, counts: readonly number[]): Bound => ({
    what,
    limit: `${count} of ${count}`,
    measured: counts.join(', '),
    held: counts.every((value) => value === count),
  });
  return {
    name: 'membership',
    title: 'Membership',
    about:
      `${count} agents as processes that join through one of them, with the defaults of \`swim\`. Joining counts from when ` +
      'the last process listens. Then one is killed; three are stopped for three seconds each, one after the other; and all ' +
      `are restarted, one a second, under the names that they had, at other ports, while ${IDS} ids live in them alone.`,
    tables: [
      table(
        ['run', 'join, s', 'kill known, s', 'downs by pauses', 'rolling restart, s', 'alive', 'hold every id'],
        measured.join.map((join, run) => [
          String(run + 1),
          ...[
            join,
            measured.kill[run],
            measured.paused[run],
            measured.rolling[run],
            measured.alive[run],
            measured.held[run],
          ].map((value) => figure(value ?? NaN)),
        ]),
      ),
    ],
    bounds: [
      atMost('all know all after the last has started', 10, 's', spread(measured.join)),
      atMost('SIGKILL of one is known by all others', 8, 's', spread(measured.kill)),
      atMost('`nodedown` by SIGSTOP of one for 3 s', 0, '', spread(measured.paused)),
      all('after a rolling restart: know all', measured.alive),
      all('after a rolling restart: hold every update', measured.held),
    ],
  };
}

export async function crowd({ quick }: Settings): Promise<Section> {
  const count = quick ? 30 : 200;
  const lost = quick ? 6 : 40;
  const settleMs = quick ? 3000 : 30_000;
  const fleet = new Fleet(['--log-level', 'error']);
  try {
    const beganMs = performance.now();
    await launch(fleet, count);
    const startedMs = performance.now() - beganMs;
    const joinMs = await fleet.until(() => fleet.isWhole, 120_000);
    await pass(settleMs);
    const before = fleet.usage();
    const heldFromMs = performance.now();
    await pass(settleMs);
    const after = fleet.usage();
    const seconds = (performance.now() - heldFromMs) / 1000;
    fleet.said = [];
    const victims = fleet.names.slice(-lost);
    await Promise.all(victims.map((name) => fleet.stop(name, 'SIGKILL')));
    const goneMs = await fleet.until(() => fleet.areGone(victims), 120_000);
    await pass(settleMs);
    const wrong = fleet.said.filter(({ event, about }) => event === 'nodedown' && !victims.includes(about)).length;
    const spent = (what: 'cpuMs' | 'bytes'): number => (after[what] - before[what]) / count / seconds;
    return {
      name: 'crowd',
      title: 'A crowd',
      about:
        `${count} agents as processes of one machine, which join through one of them, hold for ${settleMs / 1000} s, lose ` +
        `${lost} at once, and settle. CPU and bytes are those of the time in which nothing happens; bytes are what the ` +
        'processes wrote altogether; sockets are all that a process has, the one that it listens on included.',
      tables: [
        table(
          ['what', 'figure'],
          [
            ['start of all processes, s', figure(startedMs / 1000)],
            ['all know all after the last has started, s', figure(joinMs / 1000)],
            ['CPU ms a node a second', figure(spent('cpuMs'))],
            ['bytes a node a second', figure(spent('bytes'))],
            [
              'sockets a node: median (most)',
              `${figure(median(after.sockets))} (${figure(Math.max(...after.sockets))})`,
            ],
            [`${lost} killed are known by all others, s`, figure(goneMs / 1000)],
            ['`nodedown` of others meanwhile, told altogether', figure(wrong)],
            [
              'know all in the end',
              `${[...fleet.agents.values()].filter(({ members }) => members.size === count - lost - 1).length} of ${count - lost}`,
            ],
          ],
        ),
      ],
      bounds: [],
    };
  } finally {
    await fleet.end();
  }
}
