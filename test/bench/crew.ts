/**
 * The processes of one measurement: started, connected, commanded and let go, from the parent's side.
 *
 * Invariant: every measurement has fresh processes; nothing warmed or kept by one contestant serves another.
 */
import { join } from 'node:path';
import { Child } from './child.ts';
import { inTime } from './clock.ts';
import type { Setup, Station } from './contestant.ts';
import type { Reading } from './meter.ts';

/** Who runs: the module of the contestant and what it is told. */
export interface Entrant {
  readonly label: string;
  readonly module: 'floor' | 'grapevine';
  readonly protocol: string;
}

export const floor: Entrant = { label: 'floor', module: 'floor', protocol: 'none' };

export const grapevine = (protocol: string): Entrant => ({ label: protocol, module: 'grapevine', protocol });

/** Long after anything here should have arrived. */
const LIMIT_MS = 120_000;

export interface CrewOptions {
  readonly seed: number;
  /** Milliseconds. @default 500 */
  readonly delta?: number;
}

export class Member extends Child<Station> {
  constructor({ label, module }: Entrant) {
    super({ name: label, script: join(import.meta.dirname, `${module}.js`), nodeOptions: ['--expose-gc'] });
  }
}

export class Crew {
  readonly members: Member[] = [];
  readonly #urls: string[] = [];
  readonly #entrant: Entrant;
  readonly #options: CrewOptions;

  private constructor(entrant: Entrant, options: CrewOptions) {
    this.#entrant = entrant;
    this.#options = options;
  }

  /** Runs `use` with a full mesh of `size` processes and lets them go afterwards, come what may. */
  static async run<T>(
    entrant: Entrant,
    size: number,
    options: CrewOptions,
    use: (crew: Crew) => Promise<T>,
  ): Promise<T> {
    const crew = new Crew(entrant, options);
    try {
      for (let index = 0; index < size; index++) await crew.join();
      await crew.all((member) => member.call('connected', size - 1));
      return await use(crew);
    } finally {
      await crew.all((member) => member.dismiss());
    }
  }

  get writer(): Member {
    return this.members[0] as Member;
  }

  get receivers(): Member[] {
    return this.members.slice(1);
  }

  /** Starts one more process, which dials `peers`, by default all there are. @returns it, and when it started */
  async join(peers?: readonly number[]): Promise<{ member: Member; startedAt: number }> {
    const { seed, delta = 500 } = this.#options;
    const index = this.members.length;
    const member = new Member(this.#entrant);
    this.members.push(member);
    const setup: Setup = {
      index,
      protocol: this.#entrant.protocol,
      delta,
      seed: seed + index,
      peers: peers === undefined ? [...this.#urls] : peers.map((peer) => this.#urls[peer] as string),
    };
    const { url, startedAt } = await member.call('start', setup);
    this.#urls.push(url);
    return { member, startedAt };
  }

  /** @returns when each of the members held `count` ids, or `undefined` if not all do in time */
  async arrivals(count: number, members: readonly Member[] = this.receivers): Promise<number[] | undefined> {
    return inTime(Promise.all(members.map((member) => member.call('untilHolding', count))), LIMIT_MS);
  }

  /** As `arrivals`, and late is a failure. */
  async whole(count: number, members?: readonly Member[]): Promise<number[]> {
    const times = await this.arrivals(count, members);
    if (times !== undefined) return times;
    const held = await this.all((member) => member.call('held'));
    throw new Error(`${this.#entrant.label}: after ${LIMIT_MS} ms not all hold ${count} ids, but ${held.join(', ')}.`);
  }

  /** @returns whether all receivers hold no more than `count` ids in time */
  async fallen(count: number): Promise<boolean> {
    const down = Promise.all(this.receivers.map((member) => member.call('untilDownTo', count)));
    return (await inTime(down, LIMIT_MS)) !== undefined;
  }

  all<T>(command: (member: Member) => Promise<T>): Promise<T[]> {
    return Promise.all(this.members.map(command));
  }

  /** What all processes together have used so far. */
  async read(): Promise<Reading> {
    const readings = await this.all((member) => member.call('read'));
    return {
      cpuMs: readings.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
      bytesOut: readings.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
    };
  }
}
