/**
 * Networks in which not everybody can dial everybody: a mesh, one hub, three hubs.
 *
 * Nodes that only dial hear of each other through the nodes that they have dialled. What that costs is measured beside a
 * mesh of the same size.
 */
import { join } from 'node:path';
import { Child } from './child.ts';
import { pass, sharedNowMs } from './clock.ts';
import type { Gone, Host, NodeToStart, Spreading } from './host.ts';
import { atMost, type Bound, figure, type Section, table } from './page.ts';
import type { Settings } from './settings.ts';
import { median, spread } from './statistics.ts';

/** Over these processes the nodes that are no hubs are spread. */
const PROCESSES = 3;
/** Pauses between writes: each is alone on its way. */
const PAUSE_MS = 50;
/** No condition is waited for longer. */
const VIEWS_MS = 15_000;
const WRITE_MS = 5000;
/** All writes together: what is left then counts as not arrived. */
const WRITES_MS = 20_000;
const RUMOR_MS = 4000;
/** A hub that was busy doubts itself, and takes up to nine times as long to suspect somebody (Lifeguard, section IV-A). */
const GONE_MS = 60_000;
/** Until then the connections of a new cluster have settled. */
const SETTLE_MS = 2000;
/** How long is looked at what a hub writes while nothing happens. */
const IDLE_MS = 2000;

interface Shape {
  readonly label: string;
  readonly hubs: number;
  /** Whether the others can be dialled, too. */
  readonly mesh: boolean;
}

const shapes: readonly Shape[] = [
  { label: 'mesh', hubs: 1, mesh: true },
  { label: '1 hub', hubs: 1, mesh: false },
  { label: '3 hubs', hubs: 3, mesh: false },
];

interface Measured {
  readonly label: string;
  readonly nodes: number;
  readonly viewsS: number;
  readonly goodbyeS: number;
  readonly goodbyeAs: string;
  readonly saidGoodbye: boolean;
  readonly killS: number;
  readonly killAs: string;
  readonly foundDead: boolean;
  /** Of every hybrid write the time until it was everywhere, in milliseconds. */
  readonly hybridMs: readonly number[];
  /** The share of nodes that a rumor did not reach. */
  readonly residue: number;
  /** What a hub wrote to sockets for a hybrid write and each other node, beyond what it writes in the same time when idle. */
  readonly hubBytes: number;
}

/** The processes of one network. The first houses the hubs; the last houses one node, which is killed. */
class Network {
  readonly #hosts: Child<Host>[] = [];
  readonly #homes = new Map<string, Child<Host>>();

  static async run<T>(use: (network: Network) => Promise<T>): Promise<T> {
    const network = new Network();
    try {
      return await use(network);
    } finally {
      await Promise.all(network.#hosts.map((host) => host.dismiss()));
    }
  }

  host(name: string): Child<Host> {
    const host = new Child<Host>({ name, script: join(import.meta.dirname, 'host.js') });
    this.#hosts.push(host);
    return host;
  }

  async start(host: Child<Host>, nodes: readonly NodeToStart[]): Promise<{ urls: string[]; startedMs: number }> {
    const { urls, startedMs } = await host.call('start', nodes);
    for (const { name } of nodes) this.#homes.set(name, host);
    return { urls: urls.filter((url) => url !== null), startedMs };
  }

  home(name: string): Child<Host> {
    return this.#homes.get(name) as Child<Host>;
  }

  async kill(host: Child<Host>): Promise<void> {
    this.#hosts.splice(this.#hosts.indexOf(host), 1);
    await host.kill();
  }

  async all<T>(command: (host: Child<Host>) => Promise<T>): Promise<T[]> {
    return Promise.all(this.#hosts.map(command));
  }

  async arrivals(spreading: Spreading, ids: readonly string[], patienceMs: number): Promise<number[]> {
    return (await this.all((host) => host.call('arrivals', spreading, ids, patienceMs))).flat();
  }

  async gone(name: string): Promise<{ hows: Gone[]; lastMs: number }> {
    const told = (await this.all((host) => host.call('gone', name, GONE_MS))).flat();
    return { hows: told.map(({ how }) => how), lastMs: Math.max(...told.map(({ atMs }) => atMs)) };
  }
}

async function measure({ label, hubs, mesh }: Shape, count: number, writes: number): Promise<Measured> {
  return Network.run(async (network) => {
    const first = network.host('hubs');
    const seeds: string[] = [];
    for (let hub = 0; hub < hubs; hub++)
      seeds.push(...(await network.start(first, [{ name: `hub ${hub}`, listens: true, seeds: [...seeds] }])).urls);
    const others = Array.from({ length: count }, (_, i): NodeToStart => ({ name: `node ${i}`, listens: mesh, seeds }));
    const victim = others.at(-1) as NodeToStart;
    const staying = others.slice(0, -1);
    const alone = network.host('victim');
    const homes = Array.from({ length: PROCESSES }, (_, i) => network.host(`process ${i}`));
    const started = await Promise.all([
      network.start(alone, [victim]),
      ...homes.map((home, i) =>
        network.start(
          home,
          staying.filter((_, n) => n % PROCESSES === i),
        ),
      ),
    ]);
    const startedMs = Math.max(...started.map((one) => one.startedMs));
    const nodes = hubs + count;
    const wholeMs = Math.max(...(await network.all((host) => host.call('whole', nodes - 1, VIEWS_MS))));
    await network.all((host) => host.call('peered', VIEWS_MS));
    await pass(SETTLE_MS);

    const writers = Array.from({ length: writes }, (_, i) => (staying[(i * 7) % staying.length] as NodeToStart).name);
    const hybridMs: number[] = [];
    const idleFrom = await reading(first);
    await pass(IDLE_MS);
    const before = await reading(first);
    const untilMs = sharedNowMs() + WRITES_MS;
    for (const [i, writer] of writers.entries()) {
      const id = `hybrid ${i}`;
      const writtenMs = await network.home(writer).call('write', writer, 'hybrid', id);
      const patienceMs = Math.max(0, Math.min(WRITE_MS, untilMs - writtenMs));
      const lastMs = Math.max(...(await network.arrivals('hybrid', [id], patienceMs)));
      hybridMs.push(Number.isNaN(lastMs) ? Infinity : lastMs - writtenMs);
      await pass(PAUSE_MS);
    }
    const after = await reading(first);
    const idleBytesPerMs = (before.bytes - idleFrom.bytes) / (before.atMs - idleFrom.atMs);
    const bytes = after.bytes - before.bytes - idleBytesPerMs * (after.atMs - before.atMs);
    const hubBytes = bytes / hubs / writes / (nodes - 1);

    const ids = writers.map((_, i) => `rumor ${i}`);
    for (const [i, writer] of writers.entries()) {
      await network.home(writer).call('write', writer, 'rumor', ids[i] as string);
      await pass(PAUSE_MS);
    }
    const missing = (await network.arrivals('rumor', ids, RUMOR_MS)).filter((atMs) => Number.isNaN(atMs)).length;

    const leaver = (staying[0] as NodeToStart).name;
    const leftMs = await network.home(leaver).call('leave', leaver);
    const goodbye = await network.gone(leaver);

    await pass(SETTLE_MS);
    const killedMs = sharedNowMs();
    await network.kill(alone);
    const kill = await network.gone(victim.name);
    return {
      label,
      nodes,
      viewsS: Math.max(0, wholeMs - startedMs) / 1000,
      goodbyeS: (goodbye.lastMs - leftMs) / 1000,
      goodbyeAs: counted(goodbye.hows),
      saidGoodbye: goodbye.hows.every((how) => how === 'nodeleft'),
      killS: (kill.lastMs - killedMs) / 1000,
      killAs: counted(kill.hows),
      foundDead: kill.hows.every((how) => how === 'nodedown'),
      hybridMs,
      residue: missing / (ids.length * (nodes - 1)),
      hubBytes,
    };
  });
}

async function reading(host: Child<Host>): Promise<{ bytes: number; atMs: number }> {
  return { bytes: await host.call('bytesOut'), atMs: sharedNowMs() };
}

/** How many were told what, the most frequent first. */
function counted(hows: readonly Gone[]): string {
  const counts = new Map<Gone, number>();
  for (const how of hows) counts.set(how, (counts.get(how) ?? 0) + 1);
  return [...counts]
    .toSorted(([, a], [, b]) => b - a)
    .map(([how, count]) => `${how} ${count}`)
    .join(', ');
}

function boundsOf(count: number, measured: readonly Measured[]): Bound[] {
  const [mesh, ...stars] = measured as [Measured, ...Measured[]];
  return stars.flatMap((star) => {
    const what = (of: string): string => `${star.label}, ${count}: ${of}`;
    const as = (of: string, told: string, held: boolean, wanted: Gone): Bound => ({
      what: what(of),
      limit: `${wanted} ${star.nodes - (wanted === 'nodeleft' ? 1 : 2)}`,
      measured: told,
      held,
    });
    return [
      atMost(what('all know all after the last has started'), 2, 's', spread([star.viewsS])),
      atMost(
        what('goodbye, known to all: as in the mesh and 1 s'),
        rounded(mesh.goodbyeS + 1),
        's',
        spread([star.goodbyeS]),
      ),
      as('goodbye, told as', star.goodbyeAs, star.saidGoodbye, 'nodeleft'),
      atMost(what('kill, known to all: as in the mesh and 1 s'), rounded(mesh.killS + 1), 's', spread([star.killS])),
      as('kill, told as', star.killAs, star.foundDead, 'nodedown'),
      atMost(what('hybrid: everywhere, median'), 50, 'ms', spread([median(star.hybridMs)])),
      atMost(
        what('rumor: share not reached, as in the mesh and 0.01'),
        rounded(mesh.residue + 0.01),
        '',
        spread([star.residue]),
      ),
    ];
  });
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

export async function networks({ quick, full }: Settings): Promise<Section> {
  const counts = quick ? [6] : full ? [10, 50, 200] : [10, 50];
  const writes = quick ? 5 : 20;
  const bySize: { readonly count: number; readonly networks: Measured[] }[] = [];
  for (const count of counts) {
    const measured: Measured[] = [];
    for (const shape of shapes) measured.push(await measure(shape, count, writes));
    bySize.push({ count, networks: measured });
  }
  const all = bySize.flatMap(({ networks: those }) => those);
  const growth = growthOf(bySize).map(({ label, small, large, ratio }) =>
    atMost(
      `${label}: bytes a hub writes for a write and a node, with ${large} others to ${small}`,
      2,
      '×',
      spread([ratio]),
    ),
  );
  return {
    name: 'networks',
    runs: 1,
    title: 'Networks',
    about:
      `A mesh in which everybody can dial everybody, and stars: one hub or three that listen, and ${counts.join(', ')} others that ` +
      `only dial (\`listen: null\`). The hubs share a process, ${PROCESSES} processes share the others, and one that is killed has its own; ` +
      `connections are real sockets of one machine, all options are the defaults. All others start at once; *views* counts from when the ` +
      `last of them has started until all know all. ${writes} writes of \`hybrid\`, one after the other, each at another node that is no ` +
      `hub: from the write until the last node has told a reader (p50 and max over the writes; – is one that was not everywhere after ` +
      `${WRITE_MS / 1000} s). As many of \`rumor\`: the share of all other nodes that a rumor had not reached ${RUMOR_MS / 1000} s after ` +
      `the last. Then one leaves, and one is killed by SIGKILL: until the last of the others has told a reader, and what they told. ` +
      `*Hub bytes* are what a hub (in the mesh the node that all joined through) wrote to its sockets for a hybrid write, for each other node, less what it writes while nothing happens. One run.`,
    tables: [
      table(
        [
          'network',
          'nodes',
          'views, s',
          'hybrid p50, ms',
          'max, ms',
          'rumor: not reached',
          'hub bytes',
          'goodbye, s',
          'told as',
          'kill, s',
          'told as',
        ],
        all.map((one) => [
          one.label,
          String(one.nodes),
          figure(one.viewsS),
          figure(median(one.hybridMs)),
          figure(Math.max(...one.hybridMs)),
          figure(one.residue),
          figure(one.hubBytes),
          figure(one.goodbyeS),
          one.goodbyeAs,
          figure(one.killS),
          one.killAs,
        ]),
      ),
    ],
    bounds: [...bySize.flatMap(({ count, networks: those }) => boundsOf(count, those)), ...growth],
  };
}

/** Of every star, how the bytes of a hub grow from the smallest to the largest. */
function growthOf(
  bySize: readonly { readonly count: number; readonly networks: readonly Measured[] }[],
): { label: string; small: number; large: number; ratio: number }[] {
  const [small] = bySize;
  const large = bySize.at(-1);
  if (small === undefined || large === undefined || small === large) return [];
  return large.networks.slice(1).map((star, i) => ({
    label: star.label,
    small: small.count,
    large: large.count,
    ratio: star.hubBytes / (small.networks[i + 1] as Measured).hubBytes,
  }));
}
