/**
 * The processes of one measurement: started, connected, commanded and let go, from the parent's side.
 *
 * Invariant: every measurement has fresh processes; nothing warmed or kept by one contestant serves another.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Child } from './child.ts';
import { inTime, pass, sharedNowMs } from './clock.ts';
import type { Setup, Station } from './contestant.ts';
import type { Reading } from './meter.ts';
import { RedisServer, redisVersion } from './redis-server.ts';

/** A contestant: its module and what it is told. */
export interface Entrant {
  readonly label: string;
  readonly module: 'floor' | 'grapevine' | 'redis-peer';
  readonly protocol: string;
  /** Whether its nodes share a key, so that what they say over plain WebSockets is sealed. @default false */
  readonly keyed?: boolean;
  /** What Node.js is told. @default nothing */
  readonly nodeOptions?: readonly string[];
  /** Beside the environment of this process. @default nothing */
  readonly environment?: Readonly<Record<string, string>>;
}

export const floor: Entrant = { label: 'floor', module: 'floor', protocol: 'none' };

export const grapevine = (protocol: string): Entrant => ({ label: protocol, module: 'grapevine', protocol });

/** 500 updates a message. */
export const redisBatched: Entrant = { label: labelOfRedis('by 500'), module: 'redis-peer', protocol: 'batched' };

/** An update a message. */
export const redisSingle: Entrant = { label: labelOfRedis('one by one'), module: 'redis-peer', protocol: 'single' };

function labelOfRedis(how: string): string {
  return redisVersion() === null ? `Redis ${how} (redis-server is not installed)` : `Redis ${how}`;
}

/** Whether what the contestant needs is installed here. */
export function canRun({ module }: Entrant): boolean {
  return module !== 'redis-peer' || redisVersion() !== null;
}

/** Long after anything here should have arrived. */
const LIMIT_MS = 120_000;
const LOOK_MS = 200;

export interface CrewOptions {
  readonly seed: number;
  /** Milliseconds. @default 500 */
  readonly delta?: number;
}

export class Member extends Child<Station> {
  constructor({ label, module, nodeOptions = [], environment = {} }: Entrant) {
    const script = join(import.meta.dirname, `${module}.js`);
    super({ name: label, script, nodeOptions: ['--expose-gc', ...nodeOptions], environment });
  }
}

export class Crew {
  readonly members: Member[] = [];
  readonly #urls: string[] = [];
  readonly #key = randomBytes(32).toString('hex');
  readonly #entrant: Entrant;
  readonly #options: CrewOptions;
  /** Stands between the processes of a contestant that needs one. */
  readonly #server: RedisServer | null;

  private constructor(entrant: Entrant, options: CrewOptions, server: RedisServer | null) {
    this.#entrant = entrant;
    this.#options = options;
    this.#server = server;
  }

  /** Runs `use` with a full mesh of `size` processes, or so many around a server, and lets them go afterwards, come what may. */
  static async run<T>(
    entrant: Entrant,
    size: number,
    options: CrewOptions,
    use: (crew: Crew) => Promise<T>,
  ): Promise<T> {
    const server = entrant.module === 'redis-peer' ? await RedisServer.start() : null;
    const crew = new Crew(entrant, options, server);
    try {
      for (let index = 0; index < size; index++) await crew.join();
      await crew.all((member) => member.call('connected', size - 1));
      return await use(crew);
    } finally {
      await crew.all((member) => member.dismiss());
      await server?.stop();
    }
  }

  get writer(): Member {
    return this.members[0] as Member;
  }

  get receivers(): Member[] {
    return this.members.slice(1);
  }

  /**
   * Starts one more process.
   * @param peers whom it dials. @default all there are
   * @param prepare what it is told before it starts. @default nothing
   * @returns it, and when it started
   */
  async join(
    peers?: readonly number[],
    prepare: (member: Member) => Promise<void> = async () => {},
  ): Promise<{ member: Member; startedAt: number }> {
    const { seed, delta = 500 } = this.#options;
    const index = this.members.length;
    const member = new Member(this.#entrant);
    this.members.push(member);
    const known = peers === undefined ? [...this.#urls] : peers.map((peer) => this.#urls[peer] as string);
    const setup: Setup = {
      ...(this.#entrant.keyed === true ? { keys: [this.#key] } : {}),
      index,
      protocol: this.#entrant.protocol,
      delta,
      seed: seed + index,
      peers: this.#server === null ? known : [this.#server.url],
    };
    await prepare(member);
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

  /** Looks every so often whether all hold the same, by their own hashes. Late is a failure. */
  async equal(): Promise<void> {
    const endMs = sharedNowMs() + LIMIT_MS;
    for (;;) {
      const hashes = await this.all((member) => member.call('hash'));
      if (new Set(hashes).size === 1) return;
      if (sharedNowMs() > endMs) throw new Error(`${this.#entrant.label}: after ${LIMIT_MS} ms not all hold the same.`);
      await pass(LOOK_MS);
    }
  }

  all<T>(command: (member: Member) => Promise<T>): Promise<T[]> {
    return Promise.all(this.members.map(command));
  }

  /** What all processes together have used so far, a server between them included. */
  async read(): Promise<Reading> {
    const readings = await this.all((member) => member.call('read'));
    if (this.#server !== null) readings.push(await this.#server.read());
    return {
      cpuMs: readings.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
      bytesOut: readings.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
    };
  }
}
