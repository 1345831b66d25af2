/**
 * A process of nodes that come and go: they join under names that were never there, write a little, and end.
 */
import { writeHeapSnapshot } from 'node:v8';
import { seededRandom } from '@grapevine/core';
import { observeMembers } from '@grapevine/node';
import { serveCommands } from '../bench/child.ts';
import { type Birth, createParty, type Party, security } from './party.ts';
import { Readers } from './readers.ts';
import { type Memory, readMemory } from './vitals.ts';

const WRITE_EVERY_MS = 250;
/** What guests wrote is gone soon after them, wherever they end. */
const EXPIRES_IN_MS = 2000;

interface Guest {
  readonly party: Party;
  readonly readers: Readers;
  readonly timer: NodeJS.Timeout;
}

export class Lodging {
  readonly #guests = new Map<string, Guest>();

  async join(birth: Birth): Promise<void> {
    const party = await createParty(birth);
    const random = seededRandom(birth.seed + 1);
    const readers = new Readers(party);
    readers.renew();
    let written = 0;
    const timer = setInterval(() => {
      for (const gossip of party.gossips)
        gossip
          .add(`${birth.name} ${written++}`, random(), { expiresIn: EXPIRES_IN_MS })
          // The end of the node came first.
          .catch(() => undefined);
    }, WRITE_EVERY_MS);
    this.#guests.set(birth.name, { party, readers, timer });
  }

  /** With a goodbye. */
  async leave(name: string): Promise<void> {
    await this.#letGo(name)?.party.grapevine.leave();
  }

  /** Without: connections are closed, no more. */
  async close(name: string): Promise<void> {
    await this.#letGo(name)?.party.grapevine.close();
  }

  /** Asks a node who is there, from outside. @returns how many it knows */
  async ask(url: string): Promise<number> {
    return (await observeMembers(url, { security })).members.length;
  }

  /** How many live here. */
  guests(): number {
    return this.#guests.size;
  }

  memory(): Memory {
    return readMemory();
  }

  /** Writes a heap snapshot, to find what grew. */
  snapshot(path: string): string {
    return writeHeapSnapshot(path);
  }

  #letGo(name: string): Guest | undefined {
    const guest = this.#guests.get(name);
    this.#guests.delete(name);
    clearInterval(guest?.timer);
    guest?.readers.end();
    return guest;
  }
}

serveCommands(new Lodging());
