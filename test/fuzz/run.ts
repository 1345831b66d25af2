/** A run: scenes are set, liars talk until so many frames were read or the time is over, and the oracle judges. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Origin } from '@grapevine/core';
import { Confinement } from './confinement.ts';
import { Liar } from './liar.ts';
import { heapInUse, Oracle } from './oracle.ts';
import { Scene, type SceneOptions } from './scene.ts';
import { writeScript } from './script.ts';
import type { World } from './speaker.ts';
import { Strangers } from './strangers.ts';
import { Tape } from './tape.ts';
import { watchdog } from './watchdog.ts';

export interface RunOptions {
  readonly seed: number;
  /** Frames that nodes shall have read. */
  readonly frames: number;
  /** The longest that liars talk, in minutes. */
  readonly minutes: number;
  readonly corpus: readonly (readonly Uint8Array[])[];
  /** As for a scene. */
  readonly print: (line: string) => void;
}

export interface Report {
  readonly failures: readonly string[];
  readonly frames: number;
  readonly sessions: number;
  /** Calls that did not get as far as a session, and the frames of WebSocket in them. */
  readonly calls: number;
  readonly callFrames: number;
  readonly seconds: number;
  /** Of the processor, all threads together. */
  readonly cpuSeconds: number;
  readonly ends: ReadonlyMap<string, number>;
  readonly logged: ReadonlyMap<string, number>;
  /** After the warm-up and at the end, after a collection, with no liar connected. */
  readonly heapBytes: readonly [before: number, after: number];
  readonly peakHeapBytes: number;
  readonly peakRssBytes: number;
  /** Where the last frames are, after a failure. */
  readonly tape: string | null;
}

/** The share of a run after which memory is measured first: what is bounded has reached its bound by then. */
const WARM_UP = 0.5;
const HEAP_TOLERANCE = 0.1;
const LIARS_A_SCENE = 4;
/** Strangers call over real sockets, of which a machine has only so many a minute. */
const FRAMES_A_CALL = 500;
/** The memory of the whole process: nodes, liars and the tape. */
const MOST_RSS_BYTES = 1024 * 1024 * 1024;
const PROGRESS_MS = 10_000;

export async function run(options: RunOptions): Promise<Report> {
  const { seed, print } = options;
  const oracle = new Oracle();
  const tape = new Tape();
  const dog = watchdog(tape);
  let frames = 0;
  const heard: SceneOptions['heard'] = (session, frame) => {
    frames += 1;
    tape.record(session, frame);
  };
  const kept = await Scene.start({
    name: 'kept',
    medium: 'memory',
    honest: 2,
    mayRestart: false,
    oracle,
    heard,
  });
  const wild = await Scene.start({ name: 'wild', medium: 'memory', honest: 1, mayRestart: true, oracle, heard });
  const open = await Scene.start({
    name: 'open',
    medium: 'sockets',
    honest: 2,
    mayRestart: false,
    oracle,
    heard,
  });
  const scenes = [kept, wild, open];
  const liars: Liar[] = [];
  for (const [at, scene] of scenes.entries()) {
    const world = worldOf(scene);
    const count = scene.medium === 'memory' ? LIARS_A_SCENE : 1;
    for (let i = 0; i < count; i++)
      liars.push(
        await Liar.start({
          name: `liar-${i}`,
          seed: 1000 * seed + 10 * at + i,
          scene,
          world,
          confinement: scene === wild ? null : new Confinement(world),
          oracle,
          corpus: options.corpus,
        }),
      );
  }
  const strangers = new Strangers({ called: open, seed, oracle });
  const beganAt = performance.now();
  const seconds = (): number => (performance.now() - beganAt) / 1000;
  const sessions = (): number => liars.reduce((sum, liar) => sum + liar.sessions, 0);
  const look = (): void => {
    oracle.look();
    for (const scene of scenes) scene.look();
    if (oracle.peakRssBytes > MOST_RSS_BYTES) oracle.fail(`the process takes ${mebi(oracle.peakRssBytes)} MiB`);
  };
  const looking = setInterval(look, 100);
  const progress = setInterval(
    () =>
      print(
        `${seconds().toFixed(0)} s: ${frames} frames, ${sessions()} sessions, heap ${mebi(process.memoryUsage().heapUsed)} MiB; ${countsOf(oracle.ends)}`,
      ),
    PROGRESS_MS,
  );
  const talkUntil = async (enough: number, share: number): Promise<void> => {
    const goesOn = (): boolean => frames < enough && seconds() < share * 60 * options.minutes;
    const calls = async (): Promise<void> => {
      while (goesOn() && !oracle.hasFailed)
        if (strangers.calls * FRAMES_A_CALL <= frames) await strangers.call();
        else await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await Promise.all([calls(), ...liars.map((liar) => liar.talk(goesOn))]);
  };
  await talkUntil(WARM_UP * options.frames, WARM_UP);
  const before = await heapInUse();
  print(`${seconds().toFixed(0)} s: warm after ${frames} frames, ${mebi(before)} MiB in use`);
  await talkUntil(options.frames, 1);
  const talked = seconds();
  const { user, system } = process.cpuUsage();
  await Promise.all(liars.map((liar) => liar.close()));
  if (!oracle.hasFailed) {
    await Promise.all(scenes.filter((scene) => scene !== wild).map((scene) => scene.converge()));
    await wild.answers();
  }
  const equal = seconds();
  const after = await heapInUse();
  print(`${equal.toFixed(0)} s: the honest are equal, ${mebi(after)} MiB in use`);
  if (Math.abs(after - before) > HEAP_TOLERANCE * before)
    oracle.fail(`${mebi(before)} MiB were in use before, ${mebi(after)} MiB after`);
  look();
  clearInterval(looking);
  clearInterval(progress);
  await Promise.all(scenes.map((scene) => scene.close()));
  await dog.stop();
  oracle.retire();
  for (const [code, text] of oracle.samples) print(`${code}: ${text}`);
  const { failures, ends, logged, peakHeapBytes, peakRssBytes } = oracle;
  return {
    failures,
    frames,
    sessions: sessions(),
    calls: strangers.calls,
    callFrames: strangers.frames,
    seconds: talked,
    cpuSeconds: (user + system) / 1e6,
    ends,
    logged,
    heapBytes: [before, after],
    peakHeapBytes,
    peakRssBytes,
    tape: oracle.hasFailed ? saved(tape, seed) : null,
  };
}

/** What liars speak of in a scene. In the wild one it is also the honest. */
function worldOf(scene: Scene): World {
  const now = (): number => scene.now();
  const own = Array.from({ length: 12 }, (_, i) => new Origin(`liar-${i % 6}`, 1 + i));
  const ids = Array.from({ length: 60 }, (_, i) => `lie/${i}`);
  const members = Array.from({ length: 40 }, (_, i) => ({
    name: `made-up-${i}`,
    epoch: 1 + (i % 3),
    url: i % 2 === 0 ? null : `${new URL(scene.url).protocol}//127.0.0.1:${1 + i}`,
  }));
  if (scene.name !== 'wild') return { origins: own, ids, members, now };
  const honest = scene.nodes.map(({ name }) => name);
  return {
    origins: [...own, ...scene.origins(), new Origin('liar-0', Number.MAX_SAFE_INTEGER)],
    ids: [...ids, ...honest.flatMap((name) => [`${name}/0`, `${name}/1`]), '__proto__', 'constructor', 'ü'.repeat(40)],
    members: [...members, ...scene.nodes.map((node) => node.status())],
    now,
  };
}

function saved(tape: Tape, seed: number): string {
  const path = join(mkdtempSync(join(tmpdir(), 'grapevine-fuzz-')), `seed-${seed}.txt`);
  writeFileSync(path, writeScript(tape.read().values(), `The last frames of seed ${seed}, session by session.`));
  return path;
}

export function mebi(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

export function countsOf(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([what, count]) => `${what} ${count}`).join(', ');
}
