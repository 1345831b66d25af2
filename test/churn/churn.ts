/**
 * The churn: some nodes stay, each in a process of its own; others join under names that were never there and leave, are
 * closed or killed, at a steady rate; and in the end everything has to be forgotten.
 *
 * Invariants
 *  1. A failure of any process that was not killed on purpose fails the run.
 *  2. No process outlives the run.
 */
import { join } from 'node:path';
import { seededRandom } from '@grapevine/core';
import { Child } from '../bench/child.ts';
import { pass } from '../bench/clock.ts';
import type { Lodging } from './lodging.ts';
import type { Observed, Resident } from './resident.ts';
import type { Settings } from './settings.ts';
import type { Memory } from './vitals.ts';

export const RESIDENTS = 3;
/** One guest in so many has a process of its own, which is killed. */
const KILLED_EVERY = 5;
const OBSERVED_EVERY = 4;
export const LODGINGS = 2;
/** How long a lodging is in use; then it empties, and is empty, for as long. At least twice the longest life. */
const SEASON_MS = 30_000;
/** How much longer than `forgetAfter` it may take until all is forgotten: a node that is slow itself judges the dead late. */
const GRACE_MS = 300_000;

/** All readings of one moment. */
export interface Sample {
  /** Minutes since the churn began. */
  readonly atMin: number;
  readonly residents: readonly Observed[];
}

/**
 * Of a process in which most of those live that come and go, while nobody lives there: there are two, in turn in use and
 * empty.
 */
export interface Vacancy {
  readonly atMin: number;
  readonly lodging: number;
  readonly memory: Memory;
}

/** What happened to nodes that came and went. */
export interface Guests {
  joined: number;
  left: number;
  closed: number;
  killed: number;
  /** How often somebody asked from outside. */
  asked: number;
}

export interface Course {
  readonly samples: readonly Sample[];
  readonly vacancies: readonly Vacancy[];
  readonly guests: Guests;
  /** After the writes stopped and the last guest went. */
  readonly end: {
    /** Whether all residents became equal and had forgotten everything but each other. */
    readonly isClean: boolean;
    /** How long that took. */
    readonly tookMs: number;
    readonly residents: readonly Observed[];
    readonly rosters: readonly string[][];
  };
}

/** @param tell hears of every sample */
export async function churn(settings: Settings, tell: (sample: Sample) => void): Promise<Course> {
  const run = new Run(settings, tell);
  try {
    return await run.course();
  } finally {
    await run.dismiss();
  }
}

class Run {
  readonly #settings: Settings;
  readonly #tell: (sample: Sample) => void;
  readonly #random: () => number;
  readonly #residents: Child<Resident>[] = [];
  readonly #lodgings = Array.from({ length: LODGINGS }, () => child<Lodging>('lodging'));
  /** Those of one guest, that are killed. */
  readonly #huts = new Set<Child<Lodging>>();
  #season = 0;
  readonly #urls: string[] = [];
  readonly #samples: Sample[] = [];
  readonly #vacancies: Vacancy[] = [];
  readonly #guests: Guests = { joined: 0, left: 0, closed: 0, killed: 0, asked: 0 };
  /** Guests who are on their way in, there, or on their way out. */
  readonly #stays = new Set<Promise<void>>();
  #beganMs = 0;
  #fail: (error: unknown) => void = () => {};
  readonly #failed = new Promise<never>((_resolve, reject) => {
    this.#fail = reject;
  });

  constructor(settings: Settings, tell: (sample: Sample) => void) {
    this.#settings = settings;
    this.#tell = tell;
    this.#random = seededRandom(settings.seed);
    this.#failed.catch(() => undefined);
  }

  course(): Promise<Course> {
    return Promise.race([this.#course(), this.#failed]);
  }

  async #course(): Promise<Course> {
    const { durationMs, joinEveryMs, sampleEveryMs } = this.#settings;
    for (let index = 0; index < RESIDENTS; index++) await this.#settle(index);
    this.#beganMs = performance.now();
    let sampledMs = this.#beganMs;
    for (let guest = 1; this.#atMs < durationMs; guest++) {
      await pass(this.#beganMs + guest * joinEveryMs - performance.now());
      await this.#turn();
      this.#visit(guest);
      if (guest % OBSERVED_EVERY === 0) this.#ask();
      if (performance.now() - sampledMs < sampleEveryMs) continue;
      sampledMs += sampleEveryMs;
      await this.#sample();
    }
    await Promise.all(this.#stays);
    return { samples: this.#samples, vacancies: this.#vacancies, guests: this.#guests, end: await this.#end() };
  }

  async #settle(index: number): Promise<void> {
    const { seed, horizons, idsPerSecond, breakEveryMs } = this.#settings;
    const resident = child<Resident>('resident', this.#settings.interpreted ? ['--no-opt'] : []);
    this.#residents.push(resident);
    const birth = { name: `resident ${index + 1}`, seeds: [...this.#urls], seed: seed + index, horizons };
    this.#urls.push(await resident.call('start', { birth, idsPerSecond: idsPerSecond / RESIDENTS, breakEveryMs }));
  }

  /** One guest comes, and goes when its time is over. */
  #visit(guest: number): void {
    const stay = this.#stay(guest).catch(this.#fail);
    this.#stays.add(stay);
    void stay.finally(() => this.#stays.delete(stay));
  }

  async #stay(guest: number): Promise<void> {
    const { lifeMs, horizons, seed } = this.#settings;
    const isKilled = guest % KILLED_EVERY === 0;
    const [least, most] = lifeMs;
    const staysMs = least + this.#random() * (most - least);
    const lodging = isKilled ? child<Lodging>('lodging') : this.#lodging;
    if (isKilled) this.#huts.add(lodging);
    const name = `guest ${guest}`;
    await lodging.call('join', { name, seeds: [this.#anyUrl()], seed: seed + 1000 + guest, horizons });
    this.#guests.joined++;
    await pass(staysMs);
    if (isKilled) {
      await lodging.kill();
      this.#huts.delete(lodging);
      this.#guests.killed++;
    } else if (guest % 2 === 0) {
      await lodging.call('leave', name);
      this.#guests.left++;
    } else {
      await lodging.call('close', name);
      this.#guests.closed++;
    }
  }

  get #lodging(): Child<Lodging> {
    return this.#lodgings[this.#season % LODGINGS] as Child<Lodging>;
  }

  /** When a season is over, the other lodging is looked at, which is empty by now, and used from then on. */
  async #turn(): Promise<void> {
    if (this.#atMs < (this.#season + 1) * SEASON_MS) return;
    this.#season++;
    if ((await this.#lodging.call('guests')) > 0) return;
    const memory = await this.#lodging.call('memory');
    this.#vacancies.push({ atMin: this.#atMs / 60_000, lodging: this.#season % LODGINGS, memory });
  }

  /** Milliseconds since the churn began. */
  get #atMs(): number {
    return performance.now() - this.#beganMs;
  }

  #ask(): void {
    this.#lodging.call('ask', this.#anyUrl()).then(
      () => this.#guests.asked++,
      // The connection of the one who asks may be just the one that is broken.
      () => undefined,
    );
  }

  #anyUrl(): string {
    return this.#urls[Math.floor(this.#random() * this.#urls.length)] as string;
  }

  async #sample(): Promise<void> {
    const residents = await this.#observe();
    const sample = { atMin: this.#atMs / 60_000, residents };
    this.#samples.push(sample);
    this.#tell(sample);
  }

  #observe(): Promise<Observed[]> {
    return Promise.all(this.#residents.map((resident) => resident.call('observe')));
  }

  async #end(): Promise<Course['end']> {
    await Promise.all(this.#residents.map((resident) => resident.call('calm')));
    const beganMs = performance.now();
    const patienceMs = this.#settings.horizons.forgetAfterMs + GRACE_MS;
    for (;;) {
      const residents = await this.#observe();
      const tookMs = performance.now() - beganMs;
      const isClean = areClean(residents);
      if (isClean || tookMs > patienceMs) {
        const rosters = await Promise.all(this.#residents.map((resident) => resident.call('roster')));
        return { isClean, tookMs, residents, rosters };
      }
      await pass(250);
    }
  }

  async dismiss(): Promise<void> {
    await Promise.all([...this.#residents, ...this.#lodgings, ...this.#huts].map((each) => each.dismiss()));
  }
}

/** Whether they are equal, hold nothing, and know nobody but each other. */
function areClean(residents: readonly Observed[]): boolean {
  const [first] = residents;
  return residents.every(
    ({ counts, hashes, open }) =>
      open === 0 &&
      counts.ids === 0 &&
      counts.tombstones === 0 &&
      counts.members === RESIDENTS - 1 &&
      counts.roster === RESIDENTS - 1 &&
      counts.origins <= RESIDENTS * hashes.length &&
      hashes.join() === first?.hashes.join(),
  );
}

function child<S extends object>(module: string, nodeOptions: readonly string[] = []): Child<S> {
  const script = join(import.meta.dirname, `${module}.js`);
  return new Child<S>({ name: module, script, nodeOptions: ['--expose-gc', ...nodeOptions] });
}
