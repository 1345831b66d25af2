/**
 * A process of one node that stays while others come and go: it writes, it is read, its connections break, and what it
 * takes to remember is measured.
 */
import { writeHeapSnapshot } from 'node:v8';
import { seededRandom } from '@grapevine/core';
import type { GossipStatus } from '@grapevine/node';
import { serveCommands } from '../bench/child.ts';
import { type Birth, createParty, type Party } from './party.ts';
import { Readers } from './readers.ts';
import { Sockets } from './sockets.ts';
import { type Memory, readMemory } from './vitals.ts';
import { Writer } from './writer.ts';

const TICK_MS = 100;
const RENEW_EVERY_MS = 1000;

export interface ResidentOptions {
  readonly birth: Birth;
  /** Into all instances together. */
  readonly idsPerSecond: number;
  readonly breakEveryMs: number;
}

/** What a resident remembers: how many of each. */
export interface Counts {
  /** Who is there, and who is listed in whatever state. */
  readonly members: number;
  readonly roster: number;
  readonly links: number;
  readonly sockets: number;
  /** Over all instances. */
  readonly ids: number;
  readonly tombstones: number;
  readonly origins: number;
  readonly subscribers: number;
  readonly restarts: number;
}

/** What has happened since the start. */
export interface Deeds {
  readonly added: number;
  readonly broken: number;
  readonly told: number;
}

export interface Observed {
  readonly memory: Memory;
  readonly counts: Counts;
  readonly deeds: Deeds;
  /** Of each instance. */
  readonly hashes: readonly string[];
  /** Ids that its writers still have to change or remove. */
  readonly open: number;
}

export class Resident {
  readonly #sockets = new Sockets();
  #party: Party | null = null;
  #readers: Readers | null = null;
  #writers: Writer[] = [];
  #adding = true;
  #timers: NodeJS.Timeout[] = [];

  /** @returns its URL */
  async start({ birth, idsPerSecond, breakEveryMs }: ResidentOptions): Promise<string> {
    const party = await createParty(birth);
    const random = seededRandom(birth.seed + 1);
    this.#party = party;
    this.#readers = new Readers(party);
    // Names of ids never come again, also not those of a former life.
    this.#writers = party.gossips.map((gossip) => new Writer(gossip, `${birth.name} ${Date.now()} `, random));
    const eachPerMs = idsPerSecond / 1000 / this.#writers.length;
    const beganMs = performance.now();
    let added = 0;
    this.#timers = [
      setInterval(() => {
        const nowMs = performance.now();
        // Ticks that a busy machine left out are made up for.
        const count = Math.floor((nowMs - beganMs) * eachPerMs) - added;
        added += count;
        for (const writer of this.#writers) {
          if (this.#adding) writer.add(count, nowMs);
          writer.tend(nowMs);
        }
      }, TICK_MS),
      setInterval(() => this.#readers?.renew(), RENEW_EVERY_MS),
      setInterval(() => this.#adding && this.#sockets.breakOne(random), breakEveryMs),
    ];
    return party.grapevine.url ?? '';
  }

  /** No further ids, and no further connections are broken; what is there is still changed and removed. */
  calm(): void {
    this.#adding = false;
  }

  observe(): Observed {
    const memory = readMemory();
    const { grapevine, gossips } = this.#started;
    const { members, roster, links } = grapevine.status();
    const statuses = gossips.map((gossip) => gossip.status());
    const sum = (field: 'ids' | 'tombstones' | 'origins' | 'subscribers' | 'restarts'): number =>
      statuses.reduce((total: number, status: GossipStatus) => total + status[field], 0);
    return {
      memory,
      counts: {
        members: members.length,
        roster: roster.length,
        links: links.length,
        sockets: this.#sockets.open,
        ids: sum('ids'),
        tombstones: sum('tombstones'),
        origins: sum('origins'),
        subscribers: sum('subscribers'),
        restarts: sum('restarts'),
      },
      deeds: {
        added: this.#writers.reduce((total, { written }) => total + written, 0),
        broken: this.#sockets.broken,
        told: this.#readers?.told ?? 0,
      },
      hashes: statuses.map(({ hash }) => hash),
      open: this.#writers.reduce((total, { open }) => total + open, 0),
    };
  }

  /** Who is listed, and how. */
  roster(): string[] {
    return this.#started.grapevine.status().roster.map(({ name, state }) => `${name} ${state}`);
  }

  /** Writes a heap snapshot, to find what grew. */
  snapshot(path: string): string {
    return writeHeapSnapshot(path);
  }

  async leave(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#readers?.end();
    await this.#started.grapevine.leave();
  }

  get #started(): Party {
    if (this.#party === null) throw new Error('Not started.');
    return this.#party;
  }
}

serveCommands(new Resident());
