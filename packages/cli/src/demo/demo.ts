/**
 * `grapevine demo`: real processes that gossip, one that is killed, and what becomes of it.
 *
 * The plot: a full mesh with some thousand updates. All the time single updates are written, one after the other, each
 * at a node by chance, and timed until the last living node has it. At 40 % one process is killed hard; at 60 % it is
 * started again, empty. At the end all replicas are compared.
 *
 * Invariants
 *  1. Every figure is measured, by what the processes themselves printed.
 *  2. Standard output bears the picture and the summary, or with `--json` one object and nothing else.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { Vitals } from '../vitals.ts';
import { wallMs } from '../wall-clock.ts';
import { Cluster, PATIENCE_MS, PRESENCE, UPDATES } from './cluster.ts';
import { Sample } from './sample.ts';
import {
  colours,
  type Episode,
  noColours,
  type Paint,
  renderEpisode,
  renderScene,
  type Scene,
  type Tone,
  WIDTH,
} from './scene.ts';
import { Screen } from './screen.ts';
import { hasPassed, renderSummary, type Summary } from './summary.ts';

export interface DemoOptions {
  readonly nodes: number;
  readonly forMs: number;
  readonly json: boolean;
}

const KILL_AT = 0.4;
const RESTART_AT = 0.6;
/** Written before the clock starts, so that there is something to catch up on. */
const STOCK = 2000;
/** Between two single updates, in milliseconds. */
const PACE_MS = 25;
const REDRAW_EVERY_MS = 200;
const LINE_EVERY_MS = 1000;

/** @returns whether nothing was lost and the killed node caught up */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const demo = new Demo(options);
  const interrupted = (): void => process.exit(130);
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted).once('SIGHUP', interrupted);
  const summary = await demo.run();
  const text = options.json ? JSON.stringify(summary) : renderSummary(summary, demo.paint).join('\n');
  await new Promise((resolve) => {
    process.stdout.write(`${text}\n`, resolve);
  });
  return hasPassed(summary);
}

class Demo {
  readonly paint: Paint;
  readonly #options: DemoOptions;
  readonly #cluster = new Cluster(fileURLToPath(new URL('../main.js', import.meta.url)));
  readonly #sample = new Sample();
  readonly #story: Episode[] = [];
  readonly #names: readonly string[];
  readonly #watched: string;
  readonly #victim: string;
  readonly #screen: Screen | null;
  /** When the watched node last heard the vital signs of whom, in wall-clock milliseconds. */
  readonly #heardMs = new Map<string, number>();
  #startMs = 0;
  #written = 0;

  constructor(options: DemoOptions) {
    this.#options = options;
    this.#names = Array.from({ length: options.nodes }, (_, index) => `node-${index + 1}`);
    this.#watched = 'node-1';
    this.#victim = this.#names[Math.floor(options.nodes / 2)] as string;
    // A line that wraps would break the picture, which is then told line by line instead.
    const onTerminal = !options.json && process.stdout.isTTY && process.stdout.columns > WIDTH;
    this.paint = onTerminal && process.env['NO_COLOR'] === undefined ? colours : noColours;
    this.#screen = onTerminal ? new Screen(process.stdout) : null;
  }

  async run(): Promise<Summary> {
    this.#startMs = performance.now();
    await this.#assemble();
    this.#startMs = performance.now();
    const ticking = setInterval(() => this.#show(), this.#screen === null ? LINE_EVERY_MS : REDRAW_EVERY_MS);
    const { forMs } = this.#options;
    await this.#measureUntil(forMs * KILL_AT);
    const noticedMs = await this.#kill();
    await this.#measureUntil(forMs * RESTART_AT);
    const back = this.#restart();
    await this.#measureUntil(forMs);
    const caughtUpMs = await back;
    const equal = await this.#compare();
    clearInterval(ticking);
    if (this.#screen !== null) this.#show();
    this.#screen?.close();
    return this.#conclude({ noticedMs, caughtUpMs, equal });
  }

  /** Starts all, waits until every pair is connected, and gives them something to hold. */
  async #assemble(): Promise<void> {
    this.#tell('plain', `starting ${this.#names.length} processes`);
    for (const name of this.#names) {
      // One after the other: each is told the addresses of those before it.
      const agent = await this.#cluster.start(name);
      if (name === this.#watched)
        agent.on('update', ({ gossip, id, at }) => void (gossip === PRESENCE && this.#heardMs.set(id, at)));
      this.#show();
    }
    const { agents } = this.#cluster;
    const others = agents.length - 1;
    await this.#expect('every process to know every other', () =>
      agents.every(({ members }) => members.size === others),
    );
    for (const [index, agent] of agents.entries()) {
      const share = Math.ceil(STOCK / agents.length);
      const first = index * share;
      this.#cluster.write(
        agent,
        Array.from({ length: Math.max(0, Math.min(share, STOCK - first)) }, (_, item) => [
          `item-${first + item}`,
          { stock: (first + item) % 97 },
        ]),
      );
    }
    const all = (): boolean => agents.every((agent) => agent.replica(UPDATES).size === STOCK);
    await this.#expect(`${STOCK} updates to be everywhere`, all);
    this.#story.length = 0;
    this.#tell('plain', `all connected; each holds the same ${STOCK.toLocaleString('en')} ids`, 0);
  }

  /** Single updates, one after the other, until so much time has passed. */
  async #measureUntil(endMs: number): Promise<void> {
    while (this.#elapsedMs() < endMs) {
      const id = `update-${++this.#written}`;
      // The next one is written when the last one is everywhere: that is what is measured.
      const latencyMs = await this.#cluster.measure(id);
      if (latencyMs === undefined) this.#tell('bad', `${id} was not everywhere in ${PATIENCE_MS / 1000} s`);
      else this.#sample.add(latencyMs);
      await pause(Math.min(PACE_MS, Math.max(0, endMs - this.#elapsedMs())));
    }
  }

  /** @returns how long until the last of the others knew, in milliseconds */
  async #kill(): Promise<number | null> {
    const victim = this.#victim;
    const { pid } = this.#cluster.agent(victim);
    const others = this.#cluster.living.filter(({ name }) => name !== victim);
    let lastMs = 0;
    const stops = others.map((agent) =>
      agent.on('nodedown', ({ id, at }) => {
        if (id === victim) lastMs = Math.max(lastMs, at);
      }),
    );
    const killedMs = wallMs();
    await this.#cluster.kill(victim);
    this.#tell('bad', `${victim} killed (SIGKILL to process ${pid})`);
    const noticed = await this.#cluster.until(() => others.every(({ members }) => !members.has(victim)));
    for (const stop of stops) stop();
    if (!noticed) {
      this.#tell('bad', `not all of the others noticed in ${PATIENCE_MS / 1000} s`);
      return null;
    }
    const noticedMs = Math.max(0, lastMs - killedMs);
    const who = others.length === 1 ? 'the other one' : `all ${others.length} others`;
    this.#tell('plain', `${who} noticed within ${noticedMs.toFixed(1)} ms, and go on`);
    return noticedMs;
  }

  /** @returns how long the killed node took to hold everything again, in milliseconds */
  async #restart(): Promise<number | null> {
    this.#tell('plain', `${this.#victim} is started again, with nothing`);
    // One that cannot be started has not caught up; why not is told with its end.
    const caughtUpMs = await this.#cluster.restart(this.#victim).catch(() => undefined);
    const ids = this.#cluster.agent(this.#victim).replica(UPDATES).size.toLocaleString('en');
    if (caughtUpMs === undefined) this.#tell('bad', `${this.#victim} holds only ${ids} ids`);
    else this.#tell('good', `${this.#victim} caught up: ${ids} ids, ${caughtUpMs.toFixed(0)} ms after it was ready`);
    return caughtUpMs ?? null;
  }

  /** Whether all replicas become equal, by content and by hash. */
  async #compare(): Promise<boolean> {
    const { agents, written } = this.#cluster;
    const complete = (): boolean =>
      agents.every((agent) => agent.replica(UPDATES).size === written.size && this.#cluster.lacking(agent) === 0);
    if (!(await this.#cluster.until(complete)) || !(await this.#hashesMeet())) return false;
    this.#tell('good', `all ${agents.length} replicas are equal`);
    return true;
  }

  async #hashesMeet(): Promise<boolean> {
    const { agents } = this.#cluster;
    const deadlineMs = performance.now() + PATIENCE_MS;
    while (performance.now() < deadlineMs) {
      const states = await Promise.allSettled(agents.map((agent) => agent.status(UPDATES)));
      const hashes = new Set(states.map((state) => (state.status === 'fulfilled' ? state.value.hash : state)));
      if (hashes.size === 1) return true;
      await pause(100);
    }
    return false;
  }

  async #conclude(found: Pick<Summary, 'noticedMs' | 'caughtUpMs' | 'equal'>): Promise<Summary> {
    const { agents, written } = this.#cluster;
    const lost = agents.reduce((sum, agent) => sum + this.#cluster.lacking(agent), 0);
    const crashed = await this.#cluster.leave();
    for (const agent of agents)
      if (crashed.includes(agent.name))
        process.stderr.write(`${agent.name} did not leave orderly: ${agent.complaints}\n`);
    const figure = (percent: number): number | null => rounded(this.#sample.percentile(percent));
    return {
      nodes: agents.length,
      updates: written.size,
      delivered: written.size * agents.length - lost,
      lost,
      p50Ms: figure(50),
      p99Ms: figure(99),
      maxMs: figure(100),
      measured: this.#sample.size,
      noticedMs: rounded(found.noticedMs),
      caughtUpMs: rounded(found.caughtUpMs),
      equal: found.equal,
      crashed: crashed.length,
    };
  }

  async #expect(what: string, condition: () => boolean): Promise<void> {
    if (await this.#cluster.until(condition, 2 * PATIENCE_MS)) return;
    const complaints = this.#cluster.agents.map((agent) => agent.complaints).join('');
    throw new Error(`waited ${(2 * PATIENCE_MS) / 1000} s for ${what}. ${complaints}`);
  }

  #elapsedMs(): number {
    return performance.now() - this.#startMs;
  }

  #tell(tone: Tone, text: string, atMs: number = this.#elapsedMs()): void {
    const episode: Episode = { atMs, text, tone };
    this.#story.push(episode);
    if (this.#screen === null) process.stderr.write(`${renderEpisode(episode, this.paint)}\n`);
    else this.#show();
  }

  #show(): void {
    const scene = this.#scene();
    if (this.#screen !== null) return this.#screen.draw(renderScene(scene, this.paint));
    const { latency, rows } = scene;
    if (latency === undefined) return;
    const text = `${rows.filter(({ up }) => up).length} of ${rows.length} up; ${latency.count} updates, p50 ${latency.p50Ms.toFixed(2)} ms, p99 ${latency.p99Ms.toFixed(2)} ms`;
    process.stderr.write(`${renderEpisode({ atMs: this.#elapsedMs(), text, tone: 'dim' }, this.paint)}\n`);
  }

  #scene(): Scene {
    const watched = this.#cluster.agents.find(({ name }) => name === this.#watched);
    const presence = watched?.replica(PRESENCE);
    const nowMs = wallMs();
    const rows = this.#names.map((name) => {
      const vitals = presence?.get(name) as Vitals | undefined;
      const up = watched !== undefined && (name === this.#watched || watched.members.has(name));
      const heardMs = vitals === undefined ? undefined : nowMs - (this.#heardMs.get(name) ?? nowMs);
      return { name, up, vitals, heardMs };
    });
    const sample = this.#sample;
    const [p50Ms, p99Ms] = [sample.percentile(50), sample.percentile(99)];
    const latency =
      p50Ms === undefined || p99Ms === undefined
        ? undefined
        : { count: sample.size, p50Ms, p99Ms, recent: sample.latest(80) };
    const { forMs } = this.#options;
    const elapsedMs = Math.min(this.#elapsedMs(), forMs);
    return { watched: this.#watched, elapsedMs, forMs, rows, latency, story: this.#story };
  }
}

/** To the hundredth of a millisecond: more was not measured. */
function rounded(durationMs: number | null | undefined): number | null {
  return durationMs === null || durationMs === undefined ? null : Math.round(durationMs * 100) / 100;
}
